package podgroups

import (
	"fmt"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	"k8s.io/kubernetes/pkg/features"
)

// Gates are the feature gates that Berth sets in its own process. Two turn on the
// pod-group cycle. The gates of the API server are its own; the bridge feeds the
// engine whatever they are.
//
// A third has the scheduling queue ask whom an event may help. Without it, each event costs a
// look at all pods that queues hold.
//
// Another gate goes off: with it, upstream writes status.nominatedNodeName of each
// pod that waits at Permit, which is each of a gang but the last, a moment before
// it writes the bind. Nominations by preemption do not depend on it.
func Gates() map[string]bool {
	return map[string]bool{
		string(features.GenericWorkload):                 true,
		string(features.TopologyAwareWorkloadScheduling): true,
		string(features.SchedulerPreQueueingHints):       true,
		string(features.NominatedNodeNameForExpectation): false,
	}
}

// EnableGangEngine sets Gates in this process.
func EnableGangEngine() error {
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(Gates()); err != nil {
		return fmt.Errorf("turning on the gang engine: %w", err)
	}
	return nil
}

// CheckGangEngine refuses flags that turned the gang engine off again.
func CheckGangEngine() error {
	for _, gate := range []string{string(features.GenericWorkload), string(features.TopologyAwareWorkloadScheduling)} {
		if !utilfeature.DefaultFeatureGate.Enabled(featuregate.Feature(gate)) {
			return fmt.Errorf("--feature-gates turns off %s, which Berth needs in its own process (the API server does not need it); remove it", gate)
		}
	}
	return nil
}
