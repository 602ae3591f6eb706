package operators

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	// webhookKinds are the resources of webhook configurations.
	webhookKinds = map[string]schema.GroupVersionResource{
		"MutatingWebhookConfiguration":   {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		"ValidatingWebhookConfiguration": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	}
)

// makeSecret makes an empty secret, and its namespace.
func (r *Running) makeSecret(ctx context.Context, name string) error {
	namespace, name, _ := strings.Cut(name, "/")
	core := r.cluster.Client().CoreV1()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil || apierrors.IsAlreadyExists(err) {
		_, err = core.Secrets(namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making the secret %s/%s of %s: %w", namespace, name, r.operator.Title, err)
	}
	return nil
}

// mount makes the files that the operator waits for at places of its own.
func (r *Running) mount() error {
	for _, path := range r.operator.Mounted {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("mounting files of %s: %w", r.operator.Title, err)
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("mounting files of %s: %w", r.operator.Title, err)
		}
		r.mounted = append(r.mounted, path)
		if err := file.Close(); err != nil {
			return fmt.Errorf("mounting files of %s: %w", r.operator.Title, err)
		}
	}
	return nil
}

// define installs a definition and waits until its kind is served. Its conversion webhook,
// if it has one, is left out, unless the operator looks for it: objects have the version
// that is stored.
func (r *Running) define(ctx context.Context, definition *unstructured.Unstructured) error {
	unstructured.RemoveNestedField(definition.Object, "spec", "conversion")
	if slices.Contains(r.operator.Converts, definition.GetName()) {
		conversion := map[string]any{"strategy": "Webhook", "webhook": map[string]any{
			"conversionReviewVersions": []any{"v1"},
			"clientConfig":             map[string]any{"url": fmt.Sprintf("https://127.0.0.1:%d/convert", r.place.WebhookPort)},
		}}
		if err := unstructured.SetNestedMap(definition.Object, conversion, "spec", "conversion"); err != nil {
			return fmt.Errorf("filling in the definition %q: %w", definition.GetName(), err)
		}
	}
	_, err := r.client.Resource(definitions).Create(ctx, definition, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("installing the definition %q: %w", definition.GetName(), err)
	}
	r.installed = append(r.installed, installed{definitions, definition.GetName()})
	return poll(ctx, readyWithin, "the definition "+definition.GetName(), func(ctx context.Context) error {
		got, err := r.client.Resource(definitions).Get(ctx, definition.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		list, _, _ := unstructured.NestedSlice(got.Object, "status", "conditions")
		for _, c := range list {
			if c, ok := c.(map[string]any); ok && c["type"] == "Established" && c["status"] == "True" {
				return nil
			}
		}
		return errors.New("it is not established")
	})
}

// installWebhooks has the API server ask the operator at its address.
func (r *Running) installWebhooks(ctx context.Context) error {
	for _, configuration := range r.webhooks {
		object := configuration.DeepCopy()
		object.SetName(r.operator.Release.Name + "-" + object.GetName())
		hooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
		for _, hook := range hooks {
			r.address(hook.(map[string]any))
		}
		if err := unstructured.SetNestedSlice(object.Object, hooks, "webhooks"); err != nil {
			return fmt.Errorf("filling in %s %q: %w", object.GetKind(), object.GetName(), err)
		}
		resource := webhookKinds[object.GetKind()]
		_, err := r.client.Resource(resource).Create(ctx, object, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("installing %s %q: %w", object.GetKind(), object.GetName(), err)
		}
		r.installed = append(r.installed, installed{resource, object.GetName()})
	}
	return nil
}

// address has a webhook go to the operator at its address instead of its service, and be
// asked of its own pods only, as its manifests have it for a cluster.
func (r *Running) address(hook map[string]any) {
	config, _ := hook["clientConfig"].(map[string]any)
	path, _, _ := unstructured.NestedString(config, "service", "path")
	hook["clientConfig"] = map[string]any{
		"url":      fmt.Sprintf("https://127.0.0.1:%d%s", r.place.WebhookPort, path),
		"caBundle": base64.StdEncoding.EncodeToString(r.authority),
	}
	if host := r.operator.Host; host != "" {
		hook["clientConfig"] = map[string]any{"url": fmt.Sprintf("https://%s:%d%s", host, r.place.WebhookPort, path)}
	}
	if !strings.HasSuffix(path, "v1-pod") {
		return
	}
	for _, label := range r.operator.Selected {
		hook["objectSelector"] = map[string]any{"matchExpressions": []any{
			map[string]any{"key": label, "operator": "Exists"},
		}}
	}
}
