package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/insight"
)

// prompt runs berthctl as somebody, against a scheduler.
type prompt struct {
	t                  *testing.T
	binary, kubeconfig string
	port               int
}

// newPrompt builds berthctl, for a scheduler on a port that is free.
func newPrompt(t *testing.T) prompt {
	t.Helper()
	p := prompt{t: t, binary: filepath.Join(t.TempDir(), "berthctl"), port: freePort(t)}
	build := exec.Command("go", "build", "-o", p.binary, "github.com/berth-dev/berth/cmd/berthctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building berthctl: %v\n%s", err, output)
	}
	return p
}

// as returns the prompt of a service account.
func (p prompt) as(e *environment, ns, name string) prompt {
	p.t.Helper()
	file, err := e.ServiceAccountKubeconfig(p.t.Context(), ns, name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.kubeconfig = file
	return p
}

// viewerAndStranger makes two service accounts of these names: one may ask the scheduler and
// nothing else, the other may nothing.
func viewerAndStranger(t *testing.T, e *environment, ns string) {
	t.Helper()
	for _, name := range []string{"viewer", "stranger"} {
		if _, err := e.client.CoreV1().ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "viewer-of-" + ns}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "berth-viewer"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "viewer"}},
	}
	if _, err := e.client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.client.RbacV1().ClusterRoleBindings().Delete(context.Background(), binding.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// command is berthctl with arguments, and where the scheduler is.
func (p prompt) command(args ...string) *exec.Cmd {
	args = append(args, "--kubeconfig", p.kubeconfig, "--server", fmt.Sprintf("https://127.0.0.1:%d", p.port), "--insecure-skip-tls-verify")
	return exec.CommandContext(p.t.Context(), p.binary, args...)
}

// run returns what is printed, and the status.
func (p prompt) run(args ...string) (string, int) {
	p.t.Helper()
	cmd := p.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// says waits until berthctl says something, and ends with a status.
func (p prompt) says(status int, args string, want ...string) {
	p.t.Helper()
	eventually(p.t, "berthctl "+args, func(context.Context) error {
		out, got := p.run(strings.Fields(args)...)
		if got != status {
			return fmt.Errorf("status %d, want %d: %s", got, status, out)
		}
		for _, text := range want {
			if !strings.Contains(out, text) {
				return fmt.Errorf("%q is not in:\n%s", text, out)
			}
		}
		return nil
	})
}

// A user at a prompt is told why a gang waits that a limit holds, one that no rack holds, and
// one that is impossible; by the names that she has; if she may.
func TestWhyAtAPrompt(t *testing.T) {
	e := stock(t)
	ns := e.namespace(t)
	p := newPrompt(t)
	e.queue(t, "why-limited", `{resources: [{name: nvidia.com/gpu, limit: 16}]}`)
	e.schedulerOn(t, p.port)

	// One node of each rack is taken.
	var fill []*corev1.Pod
	for rack := range nodes / rackSize {
		fill = append(fill, pod(fmt.Sprintf("fill-%d", rack), nodeGPUs, func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: fmt.Sprintf("node-%05d", rack*rackSize+1)}
		}))
	}
	e.create(t, ns, fill...)
	e.create(t, ns, gangOf("first", 2, nodeGPUs, inQueue("why-limited"), ours("first", 2))...)
	e.expectByQueue(t, ns, map[string]int{"": len(fill), "why-limited": 2})

	limited := pod("template", nodeGPUs, inQueue("why-limited"), annotations("berth.dev/gang-size", "2"))
	limited.Spec.RestartPolicy = corev1.RestartPolicyNever
	two := int32(2)
	if _, err := e.client.BatchV1().Jobs(ns).Create(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Spec: batchv1.JobSpec{
		Parallelism: &two, Completions: &two,
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: limited.Labels, Annotations: limited.Annotations}, Spec: limited.Spec},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	rack := annotations("berth.dev/required-topology", "topology.kubernetes.io/rack")
	e.create(t, ns, gangOf("wide", rackSize, nodeGPUs, ours("wide", rackSize), rack)...)
	e.create(t, ns, gangOf("huge", rackSize+1, nodeGPUs, ours("huge", rackSize+1), rack)...)

	// The scheduler is asked as an administrator, and as one who may ask and nothing else.
	p.kubeconfig = e.Kubeconfig()
	p.says(0, "why late -n "+ns, "QueueAtLimit", `queue "why-limited" uses 16 of nvidia.com/gpu`, "back from queue", "/first ends")
	p.says(0, "why job/late -n "+ns, "QueueAtLimit")
	p.says(1, "why jobset/late -n "+ns, `no jobset "late"`)

	viewerAndStranger(t, e, ns)
	p.as(e, ns, "stranger").says(2, "queues", "403", "berth-viewer")
	viewer := p.as(e, ns, "viewer")
	viewer.says(0, "why wide -n "+ns, "Unschedulable", "not in one domain of topology.kubernetes.io/rack", "a place for 7 of 8 pods", "1 node more comes free in")
	viewer.says(0, "why wide-3 -n "+ns, "Unschedulable")
	viewer.says(0, "why huge -n "+ns, "GangNeverFits", "no gang that ends helps", "it needs no more than")
	viewer.says(1, "why nobody -n "+ns, "nobody")
	viewer.says(0, "gangs -n "+ns+" --state Pending", "wide", "huge", "late")
	viewer.says(0, "queues", "why-limited", "nvidia.com/gpu")
	viewer.says(0, "top", "topology.kubernetes.io/rack", "rack-0001", "#")
	viewer.says(2, "ui", "no web page", "--web-page")
	viewer.says(0, "events -n "+ns, "Placed", "first", "Refused", "wide")

	for _, gang := range []string{"wide", "late", "huge"} {
		viewer.shows(ns, "why "+gang, "-n", ns)
	}
	viewer.shows(ns, "top")
	viewer.shows(ns, "queues")

	// What is said to unblock it does.
	out, _ := viewer.run("why", "wide", "-n", ns, "-o", "json")
	var why insight.Why
	if err := json.Unmarshal([]byte(out), &why); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var ends []insight.Ending
	for _, u := range why.Blockers[len(why.Blockers)-1].Unblocks {
		if u.Kind == insight.GangsEnd {
			ends = u.Gangs
		}
	}
	if len(ends) == 0 {
		t.Fatalf("nobody's end is said to help: %s", out)
	}
	for _, one := range ends {
		_, name, _ := strings.Cut(one.Name, "/")
		if name == "first" {
			e.deletePod(t, ns, "first-0")
			e.deletePod(t, ns, "first-1")
			continue
		}
		e.deletePod(t, ns, name)
	}
	viewer.says(0, "why wide -n "+ns, "Placed, 8 of 8 needed pods bound")
}
