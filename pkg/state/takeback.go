package state

import corev1 "k8s.io/api/core/v1"

// TakeBack has the scheduling queue take a gang back that was tried and has ended: f does so.
// The queue then asks for all that is left of the gang, by Enter, though nothing has happened
// that makes room: whoever was refused is not tried again for that.
func (q *Queues) TakeBack(pod *corev1.Pod, f func() error) error {
	q.setBack(waiterOf(pod))
	defer q.setBack(waiterID{})
	return f()
}

func (q *Queues) setBack(id waiterID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.back = id
}
