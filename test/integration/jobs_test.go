package integration

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// jobCommand plays one command about a Job, which the real controller makes pods for.
func (c *caseRun) jobCommand(command string, args []string) {
	c.t.Helper()
	jobs := c.client.BatchV1().Jobs(c.namespace)
	check := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
	}
	switch name := args[0]; command {
	case "job":
		_, err := jobs.Create(c.t.Context(), c.job(args), metav1.CreateOptions{})
		check(err)
	case "suspend", "resume":
		patch := fmt.Sprintf(`{"spec":{"suspend":%t}}`, command == "suspend")
		_, err := jobs.Patch(c.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		check(err)
	case "deletejob":
		background := metav1.DeletePropagationBackground
		check(jobs.Delete(c.t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &background}))
	case "delete-index":
		pods, err := c.podsOfJob(c.t.Context(), name)
		check(err)
		for i := range pods {
			if pods[i].Annotations[batchv1.JobCompletionIndexAnnotation] == args[1] {
				check(c.client.CoreV1().Pods(c.namespace).Delete(c.t.Context(), pods[i].Name, metav1.DeleteOptions{}))
				c.awaitGone(pods[i].Name) // the one that comes instead has another name
			}
		}
	case "jobbound":
		want, err := strconv.Atoi(args[1])
		check(err)
		eventually(c.t, c.where, func(ctx context.Context) error {
			pods, err := c.podsOfJob(ctx, name)
			bound := 0
			said := ""
			for i := range pods {
				p := &pods[i]
				switch {
				case p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || p.DeletionTimestamp != nil:
				case p.Spec.NodeName != "":
					bound++
				default:
					said = fmt.Sprintf("; pod %q says %+v", p.Name, p.Status.Conditions)
				}
			}
			if err == nil && bound != want {
				err = fmt.Errorf("%d pods are%s", bound, said)
			}
			return err
		})
	case "jobdone":
		eventually(c.t, c.where, func(ctx context.Context) error {
			job, err := jobs.Get(ctx, name, metav1.GetOptions{})
			if err == nil && job.Status.Succeeded != *job.Spec.Completions {
				err = fmt.Errorf("its status is %+v", job.Status)
			}
			return err
		})
	}
}

// job makes an Indexed Job of the words that describe it.
func (c *caseRun) job(args []string) *batchv1.Job {
	c.t.Helper()
	indexed := batchv1.IndexedCompletion
	var rest []string
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: args[0]}, Spec: batchv1.JobSpec{CompletionMode: &indexed}}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		n, err := strconv.ParseInt(value, 10, 32)
		number := int32(n)
		switch {
		case name == "completions" && err == nil:
			job.Spec.Completions = &number
		case name == "parallelism" && err == nil:
			job.Spec.Parallelism = &number
		default:
			rest = append(rest, arg)
		}
	}
	template := c.pod(append([]string{""}, rest...))
	job.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels, Annotations: template.Annotations}, Spec: template.Spec}
	return job
}

// podsOfJob returns the pods of a Job.
func (c *caseRun) podsOfJob(ctx context.Context, name string) ([]corev1.Pod, error) {
	pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + name})
	if err != nil {
		return nil, err
	}
	return pods.Items, nil
}
