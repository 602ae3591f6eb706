package dialect

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// ownerOf reads an owner from YAML, with the namespace "ns" and its kind's first letters as
// its name. A text that begins with "?" is one that could not be read.
func ownerOf(t *testing.T, text string) OwnerObject {
	t.Helper()
	text, unread := strings.CutPrefix(text, "?")
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	obj.SetNamespace("ns")
	if obj.GetName() == "" {
		obj.SetName("train")
	}
	o := OwnerObject{OwnerRef: OwnerRef{APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(), Namespace: "ns", Name: obj.GetName(), UID: types.UID(obj.GetKind())}}
	if !unread {
		o.Object = obj
	}
	return o
}

const (
	aJob        = "{apiVersion: batch/v1, kind: Job}"
	aJobSet     = "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet}"
	aTrainJob   = "{apiVersion: trainer.kubeflow.org/v1alpha1, kind: TrainJob, spec: {managedBy: trainer.kubeflow.org/trainjob-controller}}"
	aRayCluster = "{apiVersion: ray.io/v1, kind: RayCluster}"
	aRayJob     = "{apiVersion: ray.io/v1, kind: RayJob, spec: {shutdownAfterJobFinishes: true}}"
	aRayService = "{apiVersion: ray.io/v1, kind: RayService}"
	anMPIJob    = "{apiVersion: kubeflow.org/v2beta1, kind: MPIJob}"
	aPyTorchJob = "{apiVersion: kubeflow.org/v1, kind: PyTorchJob}"
	anAppWrap   = "{apiVersion: workload.codeflare.dev/v1beta2, kind: AppWrapper}"
	aSparkApp   = "{apiVersion: sparkoperator.k8s.io/v1beta2, kind: SparkApplication}"
	aReplicaSet = "{apiVersion: apps/v1, kind: ReplicaSet}"
	aDeployment = "{apiVersion: apps/v1, kind: Deployment}"
)

func aVolcanoJob(task, job string) string {
	return `{apiVersion: batch.volcano.sh/v1alpha1, kind: Job, spec: {` + job + ` tasks: [{name: ps}, {name: worker, ` + task + `}]}, status: {retryCount: 1}}`
}

// What fails or restarts as a whole takes its other gangs along.
func TestDepartTogether(t *testing.T) {
	const restarts = "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3}}}"
	const frail = "{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: 0}}"
	for _, test := range []struct {
		name   string
		may    bool
		owners []string
		want   string
	}{
		{"suspended", true, []string{frail, restarts}, "Suspend JobSet true"},
		{"restarted", false, []string{frail, restarts}, "Evict JobSet true"},
		{"its job makes up for it", false, []string{aJob, restarts}, "Evict Job false"},
		{"failed", false, []string{frail}, "WouldNotSurvive Job true"},
		{"Volcano job that restarts", false, []string{aVolcanoJob("", "policies: [{event: PodEvicted, action: RestartJob}],")}, "Evict Job true"},
		{"deployment", false, []string{aReplicaSet, aDeployment}, "Evict ReplicaSet false"},
	} {
		var owners []OwnerObject
		for _, text := range test.owners {
			owners = append(owners, ownerOf(t, text))
		}
		d := Depart([]*corev1.Pod{{}}, owners, func(schema.GroupResource) bool { return test.may })
		if got := fmt.Sprintf("%s %s %t", d.Action, d.Owner.Kind, d.Together); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestDepart(t *testing.T) {
	all := func(schema.GroupResource) bool { return true }
	none := func(schema.GroupResource) bool { return false }
	kueue := func(text string) string {
		return strings.Replace(text, "kind:", "metadata: {labels: {"+kueueQueueLabel+": q}}, kind:", 1)
	}
	tests := []struct {
		name   string
		source string
		pods   int
		may    func(schema.GroupResource) bool
		owners []string
		want   string // action, code, object
	}{
		// Who is suspended.
		{"job", "batch/v1 1.37", 8, all, []string{aJob}, "Suspend OwnerSuspends Job"},
		{"job of a cron job", "batch/v1 1.37, cronjob controller never updates Jobs", 8, all, []string{aJob, "?{apiVersion: batch/v1, kind: CronJob}"}, "Suspend OwnerSuspends Job"},
		{"job set, never its job", "jobset v0.11.1", 8, all, []string{aJob, aJobSet}, "Suspend OwnerSuspends JobSet"},
		{"train job, never its job set", "trainer v2.2.0 pkg/runtime/framework/plugins/jobset", 8, all, []string{aJob, aJobSet, aTrainJob}, "Suspend OwnerSuspends TrainJob"},
		{"ray cluster", "kuberay v1.6.0 apis/ray/v1/raycluster_types.go", 8, all, []string{aRayCluster}, "Suspend OwnerSuspends RayCluster"},
		{"ray job", "kuberay v1.6.0 apis/ray/v1/rayjob_types.go", 8, all, []string{aRayCluster, aRayJob}, "Suspend OwnerSuspends RayJob"},
		{"MPI job, with its launcher", "mpi-operator v0.8.0", 1, all, []string{aJob, anMPIJob}, "Suspend OwnerSuspends MPIJob"},
		{"PyTorch job", "training-operator v1.9.3", 8, all, []string{aPyTorchJob}, "Suspend OwnerSuspends PyTorchJob"},
		{"PyTorch job that names its operator", "training-operator v1.9.3 KubeflowJobsController", 8, all,
			[]string{"{apiVersion: kubeflow.org/v1, kind: PyTorchJob, spec: {runPolicy: {managedBy: kubeflow.org/training-operator}}}"}, "Suspend OwnerSuspends PyTorchJob"},
		{"wrapped job", "appwrapper v1.2.0", 8, all, []string{aJob, anAppWrap}, "Suspend OwnerSuspends AppWrapper"},
		{"wrapped deployment", "appwrapper v1.2.0", 8, all, []string{aReplicaSet, aDeployment, anAppWrap}, "Suspend OwnerSuspends AppWrapper"},

		// Who is not suspended, for somebody else does it or would undo it.
		{"job of Kueue", "kueue v0.17.0", 8, all, []string{kueue(aJob)}, "WouldNotSurvive RetriesUsed Job"},
		{"job of a job set of Kueue", "kueue v0.17.0", 8, all, []string{aJob, kueue(aJobSet)}, "WouldNotSurvive RetriesUsed JobSet"},
		{"job of another controller", "batch/v1 spec.managedBy", 8, all, []string{"{apiVersion: batch/v1, kind: Job, spec: {managedBy: kueue.x-k8s.io/multikueue}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job of an unknown kind", "", 8, all, []string{aJob, "?{apiVersion: example.com/v1, kind: Pipeline}"}, "WouldNotSurvive RetriesUsed Job"},
		{"ray job on a cluster that stays", "kuberay v1.6.0 ValidateRayJobSpec", 8, all, []string{aRayCluster, "{apiVersion: ray.io/v1, kind: RayJob}"}, "WouldNotSurvive RetriesUsed RayJob"},
		{"ray job on a cluster that it selects", "kuberay v1.6.0 ValidateRayJobSpec", 8, all,
			[]string{aRayCluster, "{apiVersion: ray.io/v1, kind: RayJob, spec: {shutdownAfterJobFinishes: true, clusterSelector: {ray.io/cluster: a}}}"}, "WouldNotSurvive RetriesUsed RayJob"},
		{"no right", "", 8, none, []string{aJob}, "WouldNotSurvive RetriesUsed Job"},
		{"top not readable", "", 8, all, []string{aJob, "?" + aJobSet}, "WouldNotSurvive OwnerNotReadable JobSet"},

		// Who is evicted and comes again.
		{"deployment", "apps/v1", 8, all, []string{aReplicaSet, aDeployment}, "Evict PodsAreReplaced ReplicaSet"},
		{"stateful set", "apps/v1", 8, all, []string{"?{apiVersion: apps/v1, kind: StatefulSet}"}, "Evict PodsAreReplaced StatefulSet"},
		{"leader worker set", "lws v0.8.0", 8, all, []string{"{apiVersion: apps/v1, kind: StatefulSet}", "{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet}"}, "Evict PodsAreReplaced StatefulSet"},
		{"ray service", "kuberay v1.6.0", 8, all, []string{aRayCluster, "?" + aRayService}, "Evict PodsAreReplaced RayCluster"},
		{"job within its limit", "batch/v1 1.37 exceedsBackoffLimit", 6, none, []string{aJob}, "Evict RetriesLeft Job"},
		{"job with failed pods", "batch/v1 1.37 exceedsBackoffLimit", 6, none, []string{"{apiVersion: batch/v1, kind: Job, status: {failed: 1}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job that may not fail", "batch/v1 1.37", 1, none, []string{"{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: 0}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job by index", "batch/v1 1.37 isIndexFailed", 8, none, []string{"{apiVersion: batch/v1, kind: Job, spec: {backoffLimitPerIndex: 1}}"}, "Evict RetriesLeft Job"},
		{"job by index that may not fail", "batch/v1 1.37 isIndexFailed", 8, none, []string{"{apiVersion: batch/v1, kind: Job, spec: {backoffLimitPerIndex: 0}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job by index and in sum", "batch/v1 1.37", 8, none, []string{"{apiVersion: batch/v1, kind: Job, spec: {backoffLimitPerIndex: 1, backoffLimit: 7}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job that ignores evictions", "batch/v1 1.37 pod_failure_policy.go", 8, none,
			[]string{"{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: 0, podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}, {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}}}"}, "Evict DisruptionsIgnored Job"},
		{"job that fails on the exit code of an eviction first", "batch/v1 1.37 pod_failure_policy.go", 8, none,
			[]string{"{apiVersion: batch/v1, kind: Job, spec: {podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [143]}}, {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job that fails on all exit codes but one", "batch/v1 1.37 pod_failure_policy.go", 8, none,
			[]string{"{apiVersion: batch/v1, kind: Job, spec: {podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: NotIn, values: [42]}}, {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: 'True'}]}]}}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job that counts evictions", "batch/v1 1.37 pod_failure_policy.go", 8, none,
			[]string{"{apiVersion: batch/v1, kind: Job, spec: {podFailurePolicy: {rules: [{action: Count, onPodConditions: [{type: DisruptionTarget}]}]}}}"}, "WouldNotSurvive RetriesUsed Job"},
		{"job set with restarts left", "jobset v0.11.1 failure_policy.go", 8, none,
			[]string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3}}, status: {restartsCountTowardsMax: 2}}"}, "Evict RestartsLeft JobSet"},
		{"job set with restarts used", "jobset v0.11.1 failure_policy.go", 8, none,
			[]string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3}}, status: {restartsCountTowardsMax: 3}}"}, "WouldNotSurvive RetriesUsed JobSet"},
		{"job set without a policy", "jobset v0.11.1 failure_policy.go", 8, none, []string{aJob, aJobSet}, "WouldNotSurvive RetriesUsed JobSet"},
		{"job set whose rule fails it", "jobset v0.11.1 failure_policy.go", 8, none,
			[]string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3, rules: [{name: a, action: FailJobSet, targetReplicatedJobs: [driver]}]}}}"}, "WouldNotSurvive OwnerFails JobSet"},
		{"job set whose first rule restarts it", "jobset v0.11.1 failure_policy.go", 8, none,
			[]string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3, rules: [{action: RestartJobSet}, {action: FailJobSet}]}}}"}, "Evict RestartsLeft JobSet"},
		{"job set whose rule is about another job", "jobset v0.11.1 failure_policy.go", 8, none,
			[]string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {rules: [{action: FailJobSet, targetReplicatedJobs: [other]}, {action: RestartJobSetAndIgnoreMaxRestarts, onJobFailureReasons: [BackoffLimitExceeded]}]}}}"}, "Evict RestartsLeft JobSet"},
		{"job set whose job fails by its own rule", "jobset v0.11.1 ruleIsApplicable, batch/v1 JobReasonPodFailurePolicy", 8, none,
			[]string{"{apiVersion: batch/v1, kind: Job, spec: {podFailurePolicy: {rules: [{action: FailJob, onPodConditions: [{type: DisruptionTarget}]}]}}}",
				"{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3, rules: [{action: FailJobSet, onJobFailureReasons: [PodFailurePolicy]}]}}}"}, "WouldNotSurvive OwnerFails JobSet"},
		{"job set whose rule is for another reason", "jobset v0.11.1 ruleIsApplicable", 8, none,
			[]string{aJob, "{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: {failurePolicy: {maxRestarts: 3, rules: [{action: FailJobSet, onJobFailureReasons: [PodFailurePolicy, DeadlineExceeded]}]}}}"}, "Evict RestartsLeft JobSet"},
		{"Volcano job without policies", "volcano v1.15.1", 8, none, []string{aVolcanoJob("", "")}, "Evict PodsAreReplaced Job"},
		{"Volcano job that restarts", "volcano v1.15.1", 8, none, []string{aVolcanoJob("", "policies: [{event: PodEvicted, action: RestartJob}],")}, "Evict RestartsLeft Job"},
		{"Volcano job that has restarted", "volcano v1.15.1", 8, none, []string{aVolcanoJob("", `maxRetry: 1, policies: [{events: [TaskCompleted, "*"], action: RestartJob}],`)}, "WouldNotSurvive RetriesUsed Job"},
		{"Volcano job whose task says otherwise", "volcano v1.15.1", 8, none,
			[]string{aVolcanoJob("policies: [{event: PodFailed, action: RestartTask}]", "policies: [{event: PodEvicted, action: AbortJob}],")}, "Evict RestartsLeft Job"},
		{"Volcano job whose pods are started again one by one", "volcano v1.15.1", 8, none, []string{aVolcanoJob("", "maxRetry: 20, policies: [{event: PodEvicted, action: RestartPod}],")}, "Evict RestartsLeft Job"},
		{"Volcano job with more pods than retries", "volcano v1.15.1", 8, none, []string{aVolcanoJob("", "policies: [{event: PodEvicted, action: RestartPod}],")}, "WouldNotSurvive RetriesUsed Job"},
		{"Volcano job that is aborted", "volcano v1.15.1", 8, none, []string{aVolcanoJob("", "policies: [{event: PodEvicted, action: AbortJob}],")}, "WouldNotSurvive OwnerFails Job"},
		{"ray job with retries", "kuberay v1.6.0 checkBackoffLimitAndUpdateStatusIfNeeded", 8, none,
			[]string{aRayCluster, "{apiVersion: ray.io/v1, kind: RayJob, spec: {backoffLimit: 2}, status: {failed: 1}}"}, "Evict RetriesLeft RayJob"},

		// Who ends.
		{"bare pods", "", 8, all, nil, "WouldNotSurvive NoController "},
		{"PyTorch job, no right", "training-operator v1.9.3", 8, none, []string{aPyTorchJob}, "WouldNotSurvive OwnerFails PyTorchJob"},
		{"unknown kind", "", 8, all, []string{"?{apiVersion: example.com/v1, kind: Job}"}, "WouldNotSurvive OwnerUnknown Job"},
		{"Volcano job that is not readable", "volcano v1.15.1", 8, all, []string{"?{apiVersion: batch.volcano.sh/v1alpha1, kind: Job}"}, "WouldNotSurvive OwnerNotReadable Job"},
		{"job that is not readable", "", 8, none, []string{"?" + aJob}, "WouldNotSurvive OwnerNotReadable Job"},
		{"fields of a wrong type", "", 8, none, []string{"{apiVersion: batch/v1, kind: Job, spec: {backoffLimit: many, podFailurePolicy: [1]}, status: 3}"}, "WouldNotSurvive RetriesUsed Job"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var pods []*corev1.Pod
			for i := range test.pods {
				pods = append(pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprint("pod-", i), Labels: map[string]string{jobSetReplicatedJobLabel: "driver", volcanoTaskLabel: "worker"}}})
			}
			var owners []OwnerObject
			for _, text := range test.owners {
				owners = append(owners, ownerOf(t, text))
			}
			d := Depart(pods, owners, test.may)
			if got := fmt.Sprintf("%s %s %s", d.Action, d.Code, d.Owner.Kind); got != test.want {
				t.Errorf("got %s, want %s (%s): %s", got, test.want, test.source, d.Text)
			}
			if len(d.Pods) != test.pods {
				t.Errorf("%d pods leave, want %d", len(d.Pods), test.pods)
			}
			if (d.Action == WouldNotSurvive) != (len(d.Mend) == 2 || len(d.Mend) == 1 && !owners[0].isJob()) {
				t.Errorf("what mends it is %q", d.Mend)
			}
			if d.Owner.Name != "" && !strings.Contains(d.Text, d.Owner.String()) {
				t.Errorf("%q does not name %s", d.Text, d.Owner)
			}
		})
	}
}

// The text is what a user reads: it names the object, what happens to it, and what mends it.
func TestDepartureText(t *testing.T) {
	d := Depart([]*corev1.Pod{{}, {}, {}, {}, {}, {}, {}, {}}, []OwnerObject{ownerOf(t, aJob)}, func(schema.GroupResource) bool { return false })
	want := `Job "ns/train" ends for good when its pods are evicted: 0 have failed, 8 more would, and its backoffLimit is 6; it is not suspended, for Berth has no right to suspend jobs.batch`
	if d.Text != want {
		t.Errorf("got  %s\nwant %s", d.Text, want)
	}
	if len(d.Mend) != 2 || d.Mend[0] != mendPolicy || d.Mend[1] != mendSuspend {
		t.Errorf("what mends it is %q", d.Mend)
	}
}

func TestSuspendableHas(t *testing.T) {
	pod := func(labels map[string]string, controller types.UID) *corev1.Pod {
		yes := true
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Labels: labels}}
		if controller != "" {
			p.OwnerReferences = []metav1.OwnerReference{{UID: controller, Controller: &yes}}
		}
		return p
	}
	rayJob := strings.Replace(aRayJob, "spec:", "status: {rayClusterName: train-x7}, spec:", 1)
	tests := []struct {
		name  string
		owner string
		pod   *corev1.Pod
		want  bool
	}{
		{"pod of a job", aJob, pod(nil, "Job"), true},
		{"pod of another job", aJob, pod(nil, "other"), false},
		{"pod that a job of that name had", aJob, pod(map[string]string{"batch.kubernetes.io/job-name": "train"}, "gone"), false},
		{"pod of a job set", aJobSet, pod(map[string]string{jobSetNameLabel: "train"}, "a job"), true},
		{"pod of another job set", aJobSet, pod(map[string]string{jobSetNameLabel: "other"}, "a job"), false},
		{"pod of a train job", aTrainJob, pod(map[string]string{jobSetNameLabel: "train"}, "a job"), true},
		{"worker of a ray job", rayJob, pod(map[string]string{"ray.io/cluster": "train-x7"}, "a cluster"), true},
		{"submitter of a ray job", rayJob, pod(map[string]string{"batch.kubernetes.io/job-name": "train"}, "a job"), true},
		{"launcher of an MPI job", anMPIJob, pod(map[string]string{"training.kubeflow.org/job-name": "train"}, "a job"), true},
		{"executor of a Spark application", aSparkApp, pod(map[string]string{"sparkoperator.k8s.io/app-name": "train"}, "its driver"), true},
		{"wrapped pod", anAppWrap, pod(map[string]string{"workload.codeflare.dev/appwrapper": "train"}, "anything"), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			owner := ownerOf(t, test.owner)
			owner.Object.SetUID(owner.UID)
			kind, ok := suspendableOf(owner.OwnerRef)
			if !ok {
				t.Fatalf("%s cannot be suspended", owner)
			}
			if got := kind.Has(owner.Object, test.pod); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
			elsewhere := test.pod.DeepCopy()
			elsewhere.Namespace = "other"
			if kind.Has(owner.Object, elsewhere) {
				t.Errorf("has a pod of another namespace")
			}
		})
	}
}

func TestSuspendableObserved(t *testing.T) {
	for text, want := range map[string]bool{
		aJob: false,
		"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Suspended, status: 'True'}]}}":                           true,
		"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Suspended, status: 'False'}]}}":                          false,
		"{apiVersion: ray.io/v1, kind: RayJob, status: {jobDeploymentStatus: Suspending}}":                                       false,
		"{apiVersion: ray.io/v1, kind: RayJob, status: {jobDeploymentStatus: Suspended}}":                                        true,
		"{apiVersion: ray.io/v1, kind: RayCluster, status: {conditions: [{type: RayClusterSuspended, status: 'True'}]}}":         true,
		"{apiVersion: workload.codeflare.dev/v1beta2, kind: AppWrapper, status: {phase: Suspended}}":                             true,
		"{apiVersion: sparkoperator.k8s.io/v1beta2, kind: SparkApplication, status: {applicationState: {state: SUSPENDING}}}":    false,
		"{apiVersion: sparkoperator.k8s.io/v1beta2, kind: SparkApplication, status: {applicationState: {state: SUSPENDED}}}":     true,
		"{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, status: {conditions: [{type: Suspended, status: 'True'}]}}":        true,
		"{apiVersion: kubeflow.org/v2beta1, kind: MPIJob, status: {conditions: [{type: Suspended, status: 'True'}]}}":            true,
		"{apiVersion: trainer.kubeflow.org/v1alpha1, kind: TrainJob, status: {conditions: [{type: Suspended, status: 'True'}]}}": true,
	} {
		owner := ownerOf(t, text)
		kind, _ := suspendableOf(owner.OwnerRef)
		if got := kind.Observed(owner.Object); got != want {
			t.Errorf("got %t, want %t of %s", got, want, text)
		}
	}
}
