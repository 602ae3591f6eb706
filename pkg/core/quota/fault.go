package quota

import "fmt"

// FaultCode is a typed reason. The set is closed and never holds a name.
type FaultCode string

const (
	// NoName: the name is empty, which is that of the root.
	NoName FaultCode = "QueueNameEmpty"
	// Duplicate: there is a queue of this name before it.
	Duplicate FaultCode = "QueueDuplicate"
	// NoParent: there is no queue of the parent's name.
	NoParent FaultCode = "QueueParentNotFound"
	// Cycle: the queue is in itself.
	Cycle FaultCode = "QueueCycle"
	// Negative: an amount or a duration is below 0.
	Negative FaultCode = "QueueAmountNegative"
	// NotFinite: what is guaranteed, or a weight, is Unlimited.
	NotFinite FaultCode = "QueueAmountUnlimited"
	// BadSelector: it cannot be read which namespaces may use the queue.
	BadSelector FaultCode = "QueueSelectorInvalid"
	// LimitTooLow: the limit is below what is guaranteed.
	LimitTooLow FaultCode = "QueueLimitBelowGuaranteed"
	// OverGuaranteed: the siblings before this queue leave too little of what the parent is
	// guaranteed.
	OverGuaranteed FaultCode = "QueueOverGuaranteed"
)

// Fault is why a queue, and every queue below it, admits nothing.
type Fault struct {
	Code  FaultCode
	Queue string
	// Field is where in the spec the fault is, such as "resources[gpu].limit".
	Field string
	// Text is a sentence that says what is wrong and how to correct it.
	Text string
}

// faults collects what is wrong with the specs.
type faults []Fault

// add takes a fault in and returns it.
func (f *faults) add(code FaultCode, queue, field, format string, args ...any) *Fault {
	fault := Fault{Code: code, Queue: queue, Field: field, Text: fmt.Sprintf("queue %q: ", queue) + fmt.Sprintf(format, args...)}
	*f = append(*f, fault)
	return &fault
}

// checkSpec finds what is wrong with a spec in itself.
func (f *faults) checkSpec(s *Spec, resources []string) {
	if s.HalfLife < 0 {
		f.add(Negative, s.Name, "halfLife", "halfLife is %s: give 0, for that of the parent, or more", s.HalfLife)
	}
	if s.Preemption.MinRuntime < 0 {
		f.add(Negative, s.Name, "preemption.minRuntime", "minRuntime is %s: give 0 or more", s.Preemption.MinRuntime)
	}
	if s.Preemption.Grace < 0 {
		f.add(Negative, s.Name, "preemption.graceBeforeReclaim", "graceBeforeReclaim is %s: give 0 or more", s.Preemption.Grace)
	}
	if s.Access.Invalid != "" {
		f.add(BadSelector, s.Name, "namespaceSelector", "namespaceSelector cannot be read: %s", s.Access.Invalid)
	}
	for _, resource := range resources {
		q := s.Resources[resource]
		for _, part := range []struct {
			name   string
			amount *Amount
		}{{"guaranteed", q.Guaranteed}, {"limit", q.Limit}, {"weight", q.Weight}} {
			field := fmt.Sprintf("resources[%s].%s", resource, part.name)
			switch {
			case part.amount == nil:
			case *part.amount < 0:
				f.add(Negative, s.Name, field, "%s of %s is %s: give 0 or more", part.name, resource, *part.amount)
			case *part.amount == Unlimited && part.amount != q.Limit:
				f.add(NotFinite, s.Name, field, "%s of %s is unlimited: give a number", part.name, resource)
			}
		}
		if q.Limit != nil && q.Guaranteed != nil && *q.Limit < *q.Guaranteed && *q.Limit >= 0 {
			f.add(LimitTooLow, s.Name, fmt.Sprintf("resources[%s].limit", resource),
				"the limit of %s is %s, below the %s that are guaranteed: raise the limit or lower what is guaranteed", resource, *q.Limit, *q.Guaranteed)
		}
	}
}
