package dialect

import (
	"os"
	"strings"
	"testing"
)

// What the scheduler writes with a binding, the policies keep from all others, each in every
// place where it could be written.
func TestPoliciesKeepWhatIsWritten(t *testing.T) {
	text, err := os.ReadFile("../../manifests/base/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lists := 0
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.Contains(line, "['"+DevicesAnnotation+"'") {
			continue
		}
		lists++
		for _, key := range WrittenAnnotations() {
			if !strings.Contains(line, "'"+key+"'") {
				t.Errorf("%s is not in %q", key, strings.TrimSpace(line))
			}
		}
	}
	if lists != 2 {
		t.Errorf("%d policies have the keys; want one for pods and one for bindings", lists)
	}
	// And a queue that pays is not changed, in whichever words it was named.
	for _, key := range []string{berthQueueLabel, kueueQueueLabel, kaiQueueLabel, yunikornQueueLabel, yunikornOldQueueLabel, koordinatorQueueLabel, volcanoQueueName} {
		if !strings.Contains(string(text), "'"+key+"'") {
			t.Errorf("no policy keeps %s of a placed pod", key)
		}
	}
}
