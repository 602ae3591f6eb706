package device

// Prediction says how a node's report compares with what was intended for a pod. It is
// the label of a metric.
type Prediction string

const (
	// PredictedExactly: the pod has the devices that were intended for it.
	PredictedExactly Prediction = "exact"
	// PredictedEqual: it has others that are as good.
	PredictedEqual Prediction = "equal"
	// PredictedWorse and PredictedBetter: it has others.
	PredictedWorse  Prediction = "worse"
	PredictedBetter Prediction = "better"
)

// Predictions are all of them.
func Predictions() []Prediction {
	return []Prediction{PredictedExactly, PredictedEqual, PredictedWorse, PredictedBetter}
}

// compare tells how the first report on a pod compares with what was taken for it.
func (v *Inventory) compare(n *inventoryNode, h *holder) {
	if h.taken == nil || h.compared {
		return
	}
	reported, ok := n.machine.Held[h.name]
	if !ok || reported == h.before {
		return
	}
	h.compared = true
	if v.predicted == nil || n.class == 0 {
		return
	}
	intended := n.machine.Mask(h.named...)
	class := v.machines[n.class]
	switch want, got := class.Quality(intended), class.Quality(reported); {
	case intended == reported:
		v.predicted(PredictedExactly)
	case got < want:
		v.predicted(PredictedWorse)
	case got > want:
		v.predicted(PredictedBetter)
	default:
		v.predicted(PredictedEqual)
	}
}
