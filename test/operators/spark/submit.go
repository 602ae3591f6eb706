package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// Where the driver's pod has its configuration, and the template of its executors.
const (
	confVolume     = "spark-conf-volume-driver"
	confKey        = "spark.properties"
	templateVolume = "pod-template-volume"
	templateKey    = "pod-spec-template.yml"
)

// submit makes the pod of a driver, and what it owns.
func submit(ctx context.Context, client kubernetes.Interface, c conf) error {
	namespace, application := c["spark.kubernetes.namespace"], "spark-"+rand.String(32)
	prefix := c["spark.app.name"] + "-" + rand.String(16)
	driver, err := driverPod(c, application, prefix)
	if err != nil {
		return err
	}
	template, err := os.ReadFile(c["spark.kubernetes.executor.podTemplateFile"])
	if err != nil {
		return fmt.Errorf("reading the template of the executors: %w", err)
	}
	made, err := client.CoreV1().Pods(namespace).Create(ctx, driver, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		// The operator looks for the code.
		return fmt.Errorf("making the driver's pod: code=409: %w", err)
	}
	if err != nil {
		return fmt.Errorf("making the driver's pod: %w", err)
	}
	told := conf{"spark.app.id": application, "spark.kubernetes.executor.podNamePrefix": prefix}
	for key, value := range c {
		told[key] = value
	}
	maps := []corev1.ConfigMap{
		{ObjectMeta: metav1.ObjectMeta{Name: confMap(prefix)}, Data: map[string]string{confKey: told.properties()}},
		{ObjectMeta: metav1.ObjectMeta{Name: templateMap(prefix)}, Data: map[string]string{templateKey: string(template)}},
	}
	for i := range maps {
		maps[i].OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(made, corev1.SchemeGroupVersion.WithKind("Pod"))}
		if _, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, &maps[i], metav1.CreateOptions{}); err != nil {
			return errors.Join(fmt.Errorf("making a config map of the driver: %w", err),
				client.CoreV1().Pods(namespace).Delete(ctx, made.Name, metav1.DeleteOptions{}))
		}
	}
	return tidy(c)
}

func confMap(prefix string) string     { return prefix + "-conf-map" }
func templateMap(prefix string) string { return prefix + "-driver-podspec-conf-map" }

// driverPod is the pod of a driver.
func driverPod(c conf, application, prefix string) (*corev1.Pod, error) {
	pod, err := readTemplate(c, driverRole)
	if err != nil {
		return nil, err
	}
	pod.Name = c.or("spark.kubernetes.driver.pod.name", prefix+"-driver")
	if err := c.fill(pod, driverRole, application, ""); err != nil {
		return nil, err
	}
	if account := c["spark.kubernetes.authenticate.driver.serviceAccountName"]; account != "" {
		pod.Spec.ServiceAccountName = account
	}
	for volume, name := range map[string]string{confVolume: confMap(prefix), templateVolume: templateMap(prefix)} {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
		}})
	}
	return pod, nil
}

// readTemplate reads the template of a role's pods from its file.
func readTemplate(c conf, role string) (*corev1.Pod, error) {
	text, err := os.ReadFile(c["spark.kubernetes."+role+".podTemplateFile"])
	if err != nil {
		return nil, fmt.Errorf("reading the template of the %s: %w", role, err)
	}
	return podOf(text)
}

// podOf returns the pod of a template.
func podOf(text []byte) (*corev1.Pod, error) {
	template := &corev1.PodTemplateSpec{}
	if err := yaml.Unmarshal(text, template); err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	return &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}, nil
}

// tidy removes the files of the templates. The operator does so itself only if the
// SparkApplication has a template of its own; else it leaves them in its container.
func tidy(c conf) error {
	dir := filepath.Dir(c["spark.kubernetes.driver.podTemplateFile"])
	if !strings.HasPrefix(dir, "/tmp/spark/") {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the templates: %w", err)
	}
	return nil
}
