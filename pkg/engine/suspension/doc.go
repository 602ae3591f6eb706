// Package suspension evicts pods by suspending their owner. It resumes the owner once the pods are
// gone, so that the owner makes them again and they wait for a place.
//
//	Departures(pods)          -> how they leave, by what their owners say (package dialect)
//	Owners(pod)               -> its controllers, as far as Berth may read them
//	Suspend(owner, claimant)  -> one patch: the field, a label and an annotation of ours
//	Gone(pod), from informers -> the last of an owner's pods: it is resumed, in one patch
//	Run(ctx)                  -> resumes, and takes up what an earlier leader suspended
//
// A pod that still exists half a minute after its grace period does not delay the resumption: its node
// does not answer, and the pod may stay for ever. Its room stays taken.
//
// An owner that was suspended before, or that no longer has Berth's annotation, belongs to somebody
// else and is left alone. Controllers do not ask disruption budgets when they suspend, so the caller
// asks them first.
//
// Files: suspension.go (suspend), resume.go (resume, and take up), owners.go (reads owners).
package suspension
