package why

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berth-dev/berth/pkg/core/quota"
	"github.com/berth-dev/berth/pkg/state/queueing"
	"github.com/berth-dev/berth/pkg/state/workload"
)

// mostNamed is how many are named in a sentence.
const mostNamed = 3

// called is "gang a/b" or "pod a/b".
func called(name string) string { return workload.Called(name, "") }

// count is "1 node" or "2 nodes".
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// some names the first of some.
func some(names []string) string {
	out := strings.Join(names[:min(len(names), mostNamed)], ", ")
	if more := len(names) - mostNamed; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// amount writes an amount of a resource with its unit.
func amount(name string, n int64) string {
	q := queueing.QuantityOf(corev1.ResourceName(name), quota.Amount(n))
	switch name {
	case string(corev1.ResourceCPU):
		return q.String() + " CPU"
	case string(corev1.ResourceMemory):
		return resource.NewQuantity(n, resource.BinarySI).String() + " of memory"
	}
	return fmt.Sprintf("%d of %s", n, name)
}

// at writes a moment, in UTC; with the day if that is another.
func at(end, now time.Time) string {
	if end.Sub(now) < 20*time.Hour && end.UTC().Day() == now.UTC().Day() {
		return end.UTC().Format("15:04 UTC")
	}
	return end.UTC().Format("2006-01-02 15:04 UTC")
}

// byName is amounts by the names of resources; those of 0 are left out.
func byName(tree *quota.Tree, v quota.Vector) map[string]int64 {
	out := map[string]int64{}
	for i, name := range tree.Resources() {
		if i < len(v) && v[i] != 0 {
			out[name] = int64(v[i])
		}
	}
	return out
}

// ending says that gangs end.
func ending(names []string, last *time.Time, now time.Time) string {
	text := ""
	if len(names) == 1 {
		text = called(names[0]) + " ends"
	} else {
		all := make([]string, len(names))
		for i, name := range names {
			all[i] = workload.Shown(name)
		}
		text = fmt.Sprintf("%s end: %s", count(len(names), "gang"), some(all))
	}
	if last != nil {
		text += ", by its run time at " + at(*last, now)
		if len(names) > 1 {
			text = strings.Replace(text, "by its run time at", "the last by its run time at", 1)
		}
	}
	return text
}
