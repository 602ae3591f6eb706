package dialect

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Executors are made again by their driver, and a driver by its SparkApplication.
func TestDepartSpark(t *testing.T) {
	application := func(spec, attempts string) string {
		return "{apiVersion: sparkoperator.k8s.io/v1beta2, kind: SparkApplication, spec: {restartPolicy: {" + spec + "}}, status: {executionAttempts: " + attempts + "}}"
	}
	const aPod = "?{apiVersion: v1, kind: Pod}"
	for _, test := range []struct {
		name, role string
		may        bool
		owner      string
		want       string
	}{
		{"executors", "executor", true, aPod, "Evict PodsAreReplaced Pod false"},
		{"pods of another pod", "", true, aPod, "WouldNotSurvive OwnerUnknown Pod false"},
		{"driver", "driver", true, application("type: Never", "1"), "Suspend OwnerSuspends SparkApplication true"},
		{"driver, no right", "driver", false, application("type: Never", "1"), "WouldNotSurvive RetriesUsed SparkApplication true"},
		{"driver of a default policy, no right", "driver", false, application("", "1"), "WouldNotSurvive RetriesUsed SparkApplication true"},
		{"driver that is always started again", "driver", false, application("type: Always", "9"), "Evict RetriesLeft SparkApplication true"},
		{"driver with retries", "driver", false, application("type: OnFailure, onFailureRetries: 2", "2"), "Evict RetriesLeft SparkApplication true"},
		{"driver without more retries", "driver", false, application("type: OnFailure, onFailureRetries: 2", "3"), "WouldNotSurvive RetriesUsed SparkApplication true"},
		{"driver with no number of retries", "driver", false, application("type: OnFailure", "1"), "WouldNotSurvive RetriesUsed SparkApplication true"},
		{"driver that cannot be read", "driver", false, "?" + application("type: Always", "1"), "WouldNotSurvive OwnerNotReadable SparkApplication false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Labels: map[string]string{"spark-role": test.role}}}
			d := Depart([]*corev1.Pod{pod}, []OwnerObject{ownerOf(t, test.owner)}, func(schema.GroupResource) bool { return test.may })
			if got := fmt.Sprintf("%s %s %s %t", d.Action, d.Code, d.Owner.Kind, d.Together); got != test.want {
				t.Errorf("got %s, want %s: %s", got, test.want, d.Text)
			}
			if !strings.Contains(d.Text, d.Owner.String()) {
				t.Errorf("%q does not name %s", d.Text, d.Owner)
			}
		})
	}
}
