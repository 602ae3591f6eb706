package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/test/operators"
)

// objectCommand plays one command about objects of any kind and the pods that somebody
// makes for them:
//
//	apply FILE                   apply a manifest of testdata
//	patch RESOURCE/NAME JSON     change an object; patchstatus changes its status
//	remove RESOURCE/NAME         delete an object, and what it owns in the background
//	running LABELS N             wait until N pods run, and there are no others
//	unplaced LABELS N            wait until there are N pods, and see that none gets a node
//	die LABELS [N]               delete a pod, the Nth by name; wait until it is gone
//	fail LABELS [N]              have its containers exit with 1; wait until it has failed
//	note LABELS                  remember the pods that have not ended; then "renewed LABELS"
//	                             waits until none of them is left
//	deletepods LABELS            delete all such pods
//	none LABELS                  wait until there are no such pods
//	count RESOURCE N             wait until there are N objects
//	field RESOURCE/NAME PATH VALUE   wait until a field has a value
//	together LABELS              check that the pods share a rack
//	full EXCEPT                  cordon all nodes but so many; uncordon with "free"
//	operator stop|start
//
// RESOURCE is as in jobsets.jobset.x-k8s.io. Patch and field take a * for the NAME: the object
// is then the only one of the resource.
func (c *caseRun) objectCommand(command string, args []string) bool {
	c.t.Helper()
	check := func(err error) {
		c.t.Helper()
		if err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
	}
	number := func(i int) int {
		c.t.Helper()
		n, err := strconv.Atoi(args[i])
		check(err)
		return n
	}
	switch command {
	case "apply":
		c.apply(args[0])
	case "patch", "patchstatus":
		client, name := c.resource(args[0])
		var subresources []string
		if command == "patchstatus" {
			subresources = append(subresources, "status")
		}
		eventually(c.t, c.where, func(ctx context.Context) error {
			text, kind := strings.Join(args[1:], " "), types.MergePatchType
			if strings.HasPrefix(text, "[") {
				kind = types.JSONPatchType
			}
			object, err := objectNamed(ctx, client, name)
			if err == nil {
				_, err = client.Patch(ctx, object.GetName(), kind, []byte(text), metav1.PatchOptions{}, subresources...)
			}
			return err
		})
	case "remove":
		client, name := c.resource(args[0])
		background := metav1.DeletePropagationBackground
		check(client.Delete(c.t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &background}))
	case "running":
		eventually(c.t, c.where, func(ctx context.Context) error { return c.running(ctx, args[0], number(1)) })
	case "unplaced":
		eventually(c.t, c.where, func(ctx context.Context) error {
			pods, err := c.living(ctx, args[0])
			if err == nil && len(pods) != number(1) {
				err = fmt.Errorf("there are %d pods", len(pods))
			}
			return err
		})
		never(c.t, c.where+": one has a node", 2*time.Second, func(ctx context.Context) (bool, error) {
			pods, err := c.living(ctx, args[0])
			return slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName != "" }), err
		})
	case "die", "fail":
		nth := 0
		if len(args) > 1 {
			nth = number(1)
		}
		pods, err := c.living(c.t.Context(), args[0])
		check(err)
		if nth >= len(pods) {
			c.t.Fatalf("%s: there are %d pods", c.where, len(pods))
		}
		if command == "fail" {
			c.fail(pods[nth].Name)
			break
		}
		c.die(pods[nth])
	case "note", "renewed":
		pods := func(ctx context.Context) (map[types.UID]bool, error) {
			living, err := c.living(ctx, args[0])
			uids := map[types.UID]bool{}
			for i := range living {
				uids[living[i].UID] = true
			}
			return uids, err
		}
		if command == "note" {
			var err error
			c.noted, err = pods(c.t.Context())
			check(err)
			break
		}
		eventually(c.t, c.where, func(ctx context.Context) error {
			now, err := pods(ctx)
			for uid := range now {
				if c.noted[uid] {
					err = errors.Join(err, fmt.Errorf("pod %s is left", uid))
				}
			}
			return err
		})
	case "deletepods":
		check(c.client.CoreV1().Pods(c.namespace).DeleteCollection(c.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: args[0]}))
	case "none":
		eventually(c.t, c.where, func(ctx context.Context) error {
			pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: args[0]})
			if err == nil && len(pods.Items) > 0 {
				err = fmt.Errorf("pod %q is there", pods.Items[0].Name)
			}
			return err
		})
	case "count":
		client, _ := c.resource(args[0] + "/")
		eventually(c.t, c.where, func(ctx context.Context) error {
			list, err := client.List(ctx, metav1.ListOptions{})
			if err == nil && len(list.Items) != number(1) {
				err = fmt.Errorf("there are %d", len(list.Items))
			}
			return err
		})
	case "field":
		client, name := c.resource(args[0])
		eventually(c.t, c.where, func(ctx context.Context) error {
			object, err := objectNamed(ctx, client, name)
			if err != nil {
				return err
			}
			value, _, _ := unstructured.NestedFieldNoCopy(object.Object, strings.Split(args[1], ".")...)
			if got := fmt.Sprint(value); got != args[2] {
				return fmt.Errorf("it is %q; status %v", got, object.Object["status"])
			}
			return nil
		})
	case "together":
		pods, err := c.living(c.t.Context(), args[0])
		check(err)
		var names []string
		for _, p := range pods {
			names = append(names, p.Name)
		}
		if racks := c.racks(names); len(slices.Compact(racks)) != 1 {
			c.t.Errorf("%s: they are in racks %v", c.where, racks)
		}
	case "full", "free":
		nodes, err := c.client.CoreV1().Nodes().List(c.t.Context(), metav1.ListOptions{})
		check(err)
		except := 0
		if command == "full" {
			except = number(0)
		}
		for i := range nodes.Items {
			if i >= except {
				check(c.editNode(nodes.Items[i].Name, func(n *corev1.Node) { n.Spec.Unschedulable = command == "full" }))
			}
		}
	case "operator":
		switch args[0] {
		case "stop":
			c.operator.Stop()
		case "start":
			check(c.operator.Resume(c.t.Context()))
		default:
			return false
		}
	default:
		return false
	}
	return true
}

// living returns the pods that have these labels, and neither leave nor have ended.
func (c *caseRun) living(ctx context.Context, labels string) ([]corev1.Pod, error) {
	pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: labels})
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	slices.SortFunc(left, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return left, nil
}

// running says why it is not so that exactly n pods run and no others are there.
func (c *caseRun) running(ctx context.Context, labels string, n int) error {
	pods, err := c.living(ctx, labels)
	if err != nil {
		return err
	}
	running, said := 0, ""
	for i := range pods {
		p := &pods[i]
		if p.Spec.NodeName != "" && p.Status.Phase == corev1.PodRunning {
			running++
			continue
		}
		said = fmt.Sprintf("; pod %q, gates %v, labels %v, annotations %v says %+v", p.Name, p.Spec.SchedulingGates, p.Labels, p.Annotations, p.Status.Conditions)
	}
	if running != n || len(pods) != n {
		return fmt.Errorf("%d of %d pods run%s", running, len(pods), said)
	}
	return nil
}

// die deletes a pod and waits until it is gone: another may have its name.
func (c *caseRun) die(p corev1.Pod) {
	c.t.Helper()
	pods := c.client.CoreV1().Pods(c.namespace)
	if err := pods.Delete(c.t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	eventually(c.t, c.where, func(ctx context.Context) error {
		now, err := pods.Get(ctx, p.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil && now.UID == p.UID:
			return fmt.Errorf("pod %q is there", p.Name)
		}
		return err
	})
}

// fail has the containers of a pod exit with 1, as a program that crashes, and waits until
// its kubelet says so.
func (c *caseRun) fail(name string) {
	c.t.Helper()
	// As a kubelet writes: no webhook is asked.
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"1",%q:"0s"}}}`, localcluster.ExitCodeAnnotation, localcluster.RunForAnnotation)
	_, err := c.client.CoreV1().Pods(c.namespace).Patch(c.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	eventually(c.t, c.where, func(ctx context.Context) error {
		p, err := c.client.CoreV1().Pods(c.namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil && p.Status.Phase != corev1.PodFailed:
			return fmt.Errorf("the phase of pod %q is %s", name, p.Status.Phase)
		}
		return err
	})
}

// apply applies the objects of a manifest. A kind may have come a moment ago.
func (c *caseRun) apply(name string) {
	c.t.Helper()
	text, err := operators.Manifest(name)
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.t.Fatalf("%s: %v", c.where, err)
		}
		eventually(c.t, c.where, func(ctx context.Context) error {
			client, err := c.clientOf(object.GroupVersionKind())
			if err != nil {
				return err
			}
			_, err = client.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "test", Force: true})
			return err
		})
	}
}

// objectNamed returns the object of a name, or for * the only one.
func objectNamed(ctx context.Context, client dynamic.ResourceInterface, name string) (*unstructured.Unstructured, error) {
	if name != "*" {
		return client.Get(ctx, name, metav1.GetOptions{})
	}
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("there are %d objects, not one", len(list.Items))
	}
	return &list.Items[0], nil
}

// resource returns the client of RESOURCE/NAME, and NAME.
func (c *caseRun) resource(at string) (dynamic.ResourceInterface, string) {
	c.t.Helper()
	resource, name, _ := strings.Cut(at, "/")
	mapper := c.mapper()
	full, err := mapper.ResourceFor(schema.ParseGroupResource(resource).WithVersion(""))
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	kind, err := mapper.KindFor(full)
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	client, err := c.clientOf(kind)
	if err != nil {
		c.t.Fatalf("%s: %v", c.where, err)
	}
	return client, name
}

// clientOf returns the client of a kind, for the scenario's namespace if it has namespaces.
func (c *caseRun) clientOf(kind schema.GroupVersionKind) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapper().RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.dynamic.Resource(mapping.Resource).Namespace(c.namespace), nil
	}
	return c.dynamic.Resource(mapping.Resource), nil
}

// mapper knows the kinds that are served now.
func (c *caseRun) mapper() meta.RESTMapper {
	return restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.client.Discovery()))
}
