package dialect

import (
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// levels maps the names that a person may write for a level to its node label key.
var levels = map[string]string{
	"block":  "topology.kubernetes.io/block",
	"host":   "kubernetes.io/hostname",
	"rack":   "topology.kubernetes.io/rack",
	"region": "topology.kubernetes.io/region",
	"zone":   "topology.kubernetes.io/zone",
}

// LevelNames lists the names of levels, for a person.
const LevelNames = "block, host, rack, region, zone"

// LevelName returns the name that a person may have written for a level; "" if there is
// none. Nodes may have the name itself as a label, where they have none of the level.
func LevelName(key string) string {
	for name, known := range levels {
		if known == key {
			return name
		}
	}
	return ""
}

// level reads a level in our own annotations: a name in the table or a label key, with a
// prefix or without.
func level(annotations map[string]string, key string) (string, *gang.Fault) {
	value := annotations[key]
	if value == "" {
		return "", nil
	}
	if known, ok := levels[value]; ok {
		return known, nil
	}
	if len(validation.IsQualifiedName(value)) > 0 {
		return "", malformed("annotation %s is %q; expected one of %s, or a node label key such as \"topology.kubernetes.io/rack\"",
			key, clip(value), LevelNames)
	}
	return value, nil
}

// levelOrKey reads a level where a label key may have no prefix.
func levelOrKey(value string) string {
	if known, ok := levels[value]; ok {
		return known
	}
	return value
}

// topologyOf reads the topology that annotations ask for. Each of the three asks is
// read from the first dialect that states it: ours, Kueue's, KAI's, Volcano's.
func topologyOf(annotations map[string]string) (gang.Topology, *gang.Fault) {
	var t gang.Topology
	if len(annotations) == 0 {
		return t, nil
	}
	var fault *gang.Fault
	if t.Required, fault = level(annotations, berthRequiredTopology); fault != nil {
		return gang.Topology{}, fault
	}
	if t.Preferred, fault = level(annotations, berthPreferredTopology); fault != nil {
		return gang.Topology{}, fault
	}
	if t.Required == "" {
		t.Required = kueueTopology(annotations, kueueRequiredTopology)
	}
	if t.Required == "" {
		t.Required = levelOrKey(annotations[kaiRequiredTopology])
	}
	if t.Preferred == "" {
		t.Preferred = kueueTopology(annotations, kueuePreferredTopology)
	}
	if t.Preferred == "" {
		t.Preferred = levelOrKey(annotations[kaiPreferredTopology])
	}
	volcano, fault := volcanoAnnotated(annotations)
	if fault != nil {
		return gang.Topology{}, fault
	}
	if t.Required == "" {
		t.Required = volcano.Required
	}
	if t.Preferred == "" {
		t.Preferred = volcano.Preferred
	}
	if t.SegmentSize, t.SegmentLevel, fault = segments(annotations); fault != nil {
		return gang.Topology{}, fault
	}
	return t, nil
}

// segments reads the size and level of segments. Our own annotations come as a
// pair; half of another dialect's pair asks for nothing there either.
func segments(annotations map[string]string) (int64, string, *gang.Fault) {
	ours, fault := level(annotations, berthSegmentTopology)
	if fault != nil {
		return 0, "", fault
	}
	_, sized := annotations[berthSegmentSize]
	switch {
	case sized && ours == "":
		return 0, "", malformed("annotation %s needs annotation %s beside it", berthSegmentSize, berthSegmentTopology)
	case !sized && ours != "":
		return 0, "", malformed("annotation %s needs annotation %s beside it", berthSegmentTopology, berthSegmentSize)
	case sized:
		n, fault := segmentSize(annotations, berthSegmentSize)
		return n, ours, fault
	}
	for _, pair := range [...]struct{ size, level string }{
		{kueueSliceSize, kueueTopology(annotations, kueueSliceTopology)},
		{kaiSegmentSize, levelOrKey(annotations[kaiSegmentTopology])},
	} {
		if pair.level == "" || annotations[pair.size] == "" {
			continue
		}
		n, fault := segmentSize(annotations, pair.size)
		if fault != nil {
			return 0, "", fault
		}
		return n, pair.level, nil
	}
	return 0, "", nil
}

// segmentSize reads a number of ranks, at least 1.
func segmentSize(annotations map[string]string, key string) (int64, *gang.Fault) {
	n, fault := wholeNumber(annotations, key, annotation)
	switch {
	case fault != nil:
		return 0, fault
	case *n < 1:
		return 0, malformed("annotation %s is %q; expected at least 1", key, annotations[key])
	}
	return *n, nil
}
