package operators

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// readyWithin is how long an operator may take until its webhooks are served.
const readyWithin = time.Minute

// Place is where an operator finds what it needs, for the templates of its arguments.
type Place struct {
	Kubeconfig, Config, Certificates string
	WebhookPort                      int
}

// A Running operator is one that was started.
type Running struct {
	operator Operator
	cluster  *localcluster.Cluster
	client   dynamic.Interface
	binary   string
	args     []string
	place    Place
	program  *localcluster.Program
	// authority signed the operator's certificate, and webhooks are its configurations.
	authority []byte
	webhooks  []*unstructured.Unstructured
	installed []installed
}

// installed is an object that goes when the operator does.
type installed struct {
	resource schema.GroupVersionResource
	name     string
}

var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	// webhookKinds are the resources of webhook configurations.
	webhookKinds = map[string]schema.GroupVersionResource{
		"MutatingWebhookConfiguration":   {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		"ValidatingWebhookConfiguration": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	}
)

// Start builds the operator if need be, installs its definitions, and runs it until its
// webhooks are served. Remove takes all of that away again.
func (o Operator) Start(ctx context.Context, cluster *localcluster.Cluster, progress func(string)) (*Running, error) {
	built, err := localcluster.EnsureRelease(ctx, "", o.Release, progress)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(cluster.AdminConfig())
	if err != nil {
		return nil, fmt.Errorf("making a client for the objects of %s: %w", o.Title, err)
	}
	r := &Running{operator: o, cluster: cluster, client: client, binary: built.Binary}
	if err := r.start(ctx, built.Source); err != nil {
		return nil, errors.Join(err, r.Remove(ctx))
	}
	return r, nil
}

func (r *Running) start(ctx context.Context, source string) error {
	if err := r.prepare(); err != nil {
		return err
	}
	objects, err := manifests(source, r.operator.Definitions)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object.GetKind() == "CustomResourceDefinition" {
			if err := r.define(ctx, object); err != nil {
				return err
			}
		}
	}
	if r.webhooks, err = manifests(source, r.operator.Webhooks); err != nil {
		return err
	}
	return r.Resume(ctx)
}

// prepare writes the operator's files, and fills in its arguments.
func (r *Running) prepare() error {
	dir := filepath.Join(r.cluster.Dir(), r.operator.Release.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the directory of %s: %w", r.operator.Title, err)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	r.place = Place{Kubeconfig: r.cluster.Kubeconfig(), Config: filepath.Join(dir, "config.yaml"), Certificates: dir, WebhookPort: port}
	if r.authority, err = r.cluster.WriteServingCertificate(dir); err != nil {
		return err
	}
	config, err := fill(r.operator.Config, r.place)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.place.Config, []byte(config), 0o644); err != nil {
		return fmt.Errorf("writing the configuration of %s: %w", r.operator.Title, err)
	}
	r.args = nil
	for _, arg := range r.operator.Args {
		filled, err := fill(arg, r.place)
		if err != nil {
			return err
		}
		r.args = append(r.args, filled)
	}
	return nil
}

// define installs a definition and waits until its kind is served. Its conversion webhook,
// if it has one, is left out: objects have the version that is stored.
func (r *Running) define(ctx context.Context, definition *unstructured.Unstructured) error {
	unstructured.RemoveNestedField(definition.Object, "spec", "conversion")
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

// Resume runs the operator, after Stop too.
func (r *Running) Resume(ctx context.Context) error {
	program, err := r.cluster.StartProgram(r.operator.Release.Name, r.binary, r.args...)
	if err != nil {
		return err
	}
	r.program = program
	if len(r.webhooks) == 0 {
		return nil
	}
	if err := poll(ctx, readyWithin, "the webhooks of "+r.operator.Title, func(ctx context.Context) error {
		if err := r.Exited(); err != nil {
			return final{err}
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", r.place.WebhookPort))
		if err == nil {
			err = connection.Close()
		}
		return err
	}); err != nil {
		return err
	}
	return r.installWebhooks(ctx)
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
	if !strings.HasSuffix(path, "v1-pod") {
		return
	}
	for _, label := range r.operator.Selected {
		hook["objectSelector"] = map[string]any{"matchExpressions": []any{
			map[string]any{"key": label, "operator": "Exists"},
		}}
	}
}

// Stop ends the operator, as when its node dies. Its webhooks are still asked, and fail.
func (r *Running) Stop() { r.program.Kill() }

// Exited says how the operator ended, if it has ended by itself.
func (r *Running) Exited() error {
	select {
	case <-r.program.Exited():
		return r.program.Failure()
	default:
		return nil
	}
}

// Log returns the end of the operator's log.
func (r *Running) Log() string {
	text, err := os.ReadFile(filepath.Join(r.cluster.Dir(), r.operator.Release.Name+".log"))
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(text[max(0, len(text)-most):])
}

// Remove ends the operator and removes its definitions, and with them all of its objects.
func (r *Running) Remove(ctx context.Context) error {
	var failed error
	for i := len(r.installed) - 1; i >= 0; i-- {
		object := r.installed[i]
		err := r.client.Resource(object.resource).Delete(ctx, object.name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			failed = errors.Join(failed, fmt.Errorf("removing %s %q: %w", object.resource.Resource, object.name, err))
		}
	}
	for _, object := range r.installed {
		// The operator may have to take its finalizers off before.
		failed = errors.Join(failed, poll(ctx, readyWithin, object.name+" to be gone", func(ctx context.Context) error {
			_, err := r.client.Resource(object.resource).Get(ctx, object.name, metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				return nil
			case err == nil:
				return errors.New("it is there")
			}
			return err
		}))
	}
	if r.program != nil {
		r.program.Kill()
	}
	return failed
}

// manifests reads the objects of files that match patterns.
func manifests(dir string, patterns []string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no manifests match %q in %s: %w", pattern, dir, err)
		}
		for _, file := range files {
			read, err := ReadObjects(file)
			if err != nil {
				return nil, err
			}
			objects = append(objects, read...)
		}
	}
	return objects, nil
}

// ReadObjects reads the objects of one file of YAML.
func ReadObjects(file string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("reading %q: %w", file, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

func fill(text string, place Place) (string, error) {
	parsed, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("parsing %q: %w", text, err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, place); err != nil {
		return "", fmt.Errorf("filling in %q: %w", text, err)
	}
	return out.String(), nil
}

// final is an error that no waiting helps against.
type final struct{ error }

// poll waits until check returns nil, or a final error.
func poll(ctx context.Context, limit time.Duration, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := errors.New("never asked")
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := check(ctx); err != nil {
			last = err
			return false, finality(err)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, last)
	}
	return nil
}

func finality(err error) error {
	if errors.As(err, &final{}) {
		return err
	}
	return nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
