package dialect

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	ownPrefix = "berth.dev/"
	// simulatedPrefix begins what the simulated kubelets of a local cluster read.
	simulatedPrefix = ownPrefix + "simulate-"

	// mostUnknown is how many labels, and how many annotations of a pod are spoken of.
	mostUnknown = 5
)

// keyKind is where keys stand in a pod, and which of Berth's are read there, or written.
type keyKind struct {
	name, article string
	read          []string
}

var (
	labelKeys      = keyKind{"label", "a", []string{berthGangLabel, berthQueueLabel}}
	annotationKeys = keyKind{"annotation", "an", []string{
		berthGangSize, berthRank, berthRequiredTopology, berthPreferredTopology, berthSegmentSize, berthSegmentTopology,
		OnLossAnnotation, GPULinkAnnotation, DevicesAnnotation, PlacementAnnotation, ChargedQueueAnnotation,
		CheckpointedAt, CheckpointSignal, CheckpointRequestedAt,
	}}
)

// UnknownKeys says which labels and annotations of a pod have Berth's prefix and are unknown to it, in one
// sentence for each, with what was probably meant. Of most pods there is nothing to say.
func UnknownKeys(pod *corev1.Pod) []string {
	return append(labelKeys.unknown(pod.Labels, annotationKeys), annotationKeys.unknown(pod.Annotations, labelKeys)...)
}

// unknown returns what there is to say of pairs of a kind.
func (k keyKind) unknown(pairs map[string]string, other keyKind) (sentences []string) {
	var keys []string
	for key := range pairs {
		if strings.HasPrefix(key, ownPrefix) && !strings.HasPrefix(key, simulatedPrefix) && !slices.Contains(k.read, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys[:min(len(keys), mostUnknown)] {
		sentence := fmt.Sprintf("%s %s is unknown", k.name, clip(key))
		if slices.Contains(other.read, key) {
			sentence += fmt.Sprintf(": it has to be %s %s", other.article, other.name)
		} else if meant := nearest(key, k.read); meant != "" {
			sentence += fmt.Sprintf("; did you mean %s?", meant)
		} else if meant := nearest(key, other.read); meant != "" {
			sentence += fmt.Sprintf("; did you mean the %s %s?", other.name, meant)
		}
		sentences = append(sentences, sentence)
	}
	return sentences
}

// mostEdits is how many letters may be wrong in a key for another to be meant.
const mostEdits = 3

// nearest returns the first of the keys that takes the fewest edits to become; empty if each
// takes too many.
func nearest(key string, keys []string) string {
	best, least := "", mostEdits+1
	for _, k := range keys {
		if len(key) > len(k)+mostEdits {
			continue
		}
		if n := edits(strings.ToLower(key), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// edits returns how many bytes have to be inserted, removed or replaced to make one text the
// other (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
