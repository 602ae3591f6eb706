package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Labels that Spark puts on its pods.
const (
	applicationLabel = "spark-app-selector"
	roleLabel        = "spark-role"
	executorLabel    = "spark-exec-id"

	driverRole   = "driver"
	executorRole = "executor"
)

// conf is a configuration of Spark.
type conf map[string]string

// readArguments reads the command line of spark-submit.
func readArguments(args []string) (conf, error) {
	c := conf{}
	for i := 0; i < len(args) && strings.HasPrefix(args[i], "--"); i += 2 {
		if i+1 == len(args) {
			return nil, fmt.Errorf("%s has no value", args[i])
		}
		switch value := args[i+1]; args[i] {
		case "--conf":
			key, value, _ := strings.Cut(value, "=")
			c[key] = value
		case "--name":
			c["spark.app.name"] = value
		case "--master", "--deploy-mode", "--class":
		default:
			return nil, fmt.Errorf("spark-submit is played here, and %s is not", args[i])
		}
	}
	return c, nil
}

// properties writes the configuration, one property a line.
func (c conf) properties() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "%s=%s\n", key, c[key])
	}
	return b.String()
}

// readProperties reads what properties wrote.
func readProperties(text string) conf {
	c := conf{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		c[key] = value
	}
	return c
}

// or returns a property, or what it is if unsaid.
func (c conf) or(key, otherwise string) string {
	if value, said := c[key]; said {
		return value
	}
	return otherwise
}

// number returns a whole number, or what it is if unsaid.
func (c conf) number(key string, otherwise int) (int, error) {
	value, said := c[key]
	if !said {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("%s is %q; expected a whole number", key, value)
	}
	return n, nil
}

// prefixed returns the properties whose names begin so, by the rest of their names.
func (c conf) prefixed(prefix string) map[string]string {
	out := map[string]string{}
	for key, value := range c {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			out[rest] = value
		}
	}
	return out
}

// executors is how many executors a driver asks for at first
// (SchedulerBackendUtils.getInitialTargetExecutorNumber).
func (c conf) executors() (int, error) {
	if c["spark.dynamicAllocation.enabled"] != "true" {
		return c.number("spark.executor.instances", 2)
	}
	most := 0
	for _, key := range [...]string{"spark.executor.instances", "spark.dynamicAllocation.initialExecutors", "spark.dynamicAllocation.minExecutors"} {
		n, err := c.number(key, 0)
		if err != nil {
			return 0, err
		}
		most = max(most, n)
	}
	return most, nil
}

// fill gives a pod what both roles have: role is driver or executor. The container is that of
// the template.
func (c conf) fill(pod *corev1.Pod, role, application, executor string) error {
	custom := c.prefixed("spark.kubernetes." + role + ".label.")
	maps.Copy(custom, map[string]string{applicationLabel: application, roleLabel: role, "spark-app-name": c["spark.app.name"], "spark-version": "4.0.1"})
	if executor != "" {
		custom[executorLabel], custom["spark-exec-resourceprofile-id"] = executor, "0"
	}
	pod.Labels = merged(pod.Labels, custom)
	annotations := c.prefixed("spark.kubernetes." + role + ".annotation.")
	for key, value := range annotations {
		annotations[key] = strings.NewReplacer("{{APP_ID}}", application, "{{EXECUTOR_ID}}", executor).Replace(value)
	}
	pod.Annotations = merged(pod.Annotations, annotations)
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.NodeSelector = merged(pod.Spec.NodeSelector, c.prefixed("spark.kubernetes.node.selector."))
	pod.Spec.NodeSelector = merged(pod.Spec.NodeSelector, c.prefixed("spark.kubernetes."+role+".node.selector."))
	for _, key := range [...]string{"spark.kubernetes." + role + ".schedulerName", "spark.kubernetes.scheduler.name"} {
		if name := c[key]; name != "" {
			pod.Spec.SchedulerName = name
			break
		}
	}
	name := c["spark.kubernetes."+role+".podTemplateContainerName"]
	at := slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
	if at < 0 {
		return fmt.Errorf("the template of the %s has no container %q", role, name)
	}
	container := &pod.Spec.Containers[at]
	container.Image = c.or("spark.kubernetes."+role+".container.image", c["spark.kubernetes.container.image"])
	return c.resources(container, role)
}

// resources gives a container its processor and memory.
func (c conf) resources(container *corev1.Container, role string) error {
	if container.Resources.Requests == nil {
		container.Resources.Requests = corev1.ResourceList{}
	}
	if container.Resources.Limits == nil {
		container.Resources.Limits = corev1.ResourceList{}
	}
	cores := c.or("spark.kubernetes."+role+".request.cores", c.or("spark."+role+".cores", "1"))
	memory, err := memoryOf(c.or("spark."+role+".memory", "1g"))
	if err != nil {
		return err
	}
	const leastOverhead = 384 << 20
	overhead := max(memory/10, leastOverhead)
	if text, said := c["spark."+role+".memoryOverhead"]; said {
		if overhead, err = memoryOf(text); err != nil {
			return err
		}
	}
	cpu, err := resource.ParseQuantity(cores)
	if err != nil {
		return fmt.Errorf("reading the cores of the %s: %w", role, err)
	}
	all := *resource.NewQuantity(memory+overhead, resource.BinarySI)
	container.Resources.Requests[corev1.ResourceCPU], container.Resources.Requests[corev1.ResourceMemory] = cpu, all
	container.Resources.Limits[corev1.ResourceMemory] = all
	if limit := c["spark.kubernetes."+role+".limit.cores"]; limit != "" {
		if container.Resources.Limits[corev1.ResourceCPU], err = resource.ParseQuantity(limit); err != nil {
			return fmt.Errorf("reading the limit of cores of the %s: %w", role, err)
		}
	}
	return nil
}

// memoryOf reads an amount as Java writes it, in bytes: "512m", "4g"; MiB without a letter.
func memoryOf(text string) (int64, error) {
	digits := strings.TrimRight(strings.ToLower(text), "kmgtb")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no amount of memory; expected one such as 512m", text)
	}
	switch strings.TrimSuffix(strings.ToLower(text[len(digits):]), "b") {
	case "k":
		return n << 10, nil
	case "g":
		return n << 30, nil
	case "t":
		return n << 40, nil
	}
	return n << 20, nil
}

// merged adds to a map, which may be nil.
func merged(to, from map[string]string) map[string]string {
	if to == nil {
		to = map[string]string{}
	}
	maps.Copy(to, from)
	return to
}
