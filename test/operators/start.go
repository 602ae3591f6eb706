package operators

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	Kubeconfig, Config string
	// Temporary is a directory for TMPDIR: programs that cannot be told where certificates
	// are look there, and find Certificates.
	Temporary, Certificates string
	// WebhookPort and PlayedPort are free ports, for the operator and for what is played.
	WebhookPort, PlayedPort int
}

// A Running operator is one that was started.
type Running struct {
	operator Operator
	cluster  *localcluster.Cluster
	client   dynamic.Interface
	binary   string
	place    Place
	// program is the operator, server its second process, and played what is played.
	program, server, played *localcluster.Program
	// authority signed the operator's certificate, and webhooks are its configurations.
	authority []byte
	webhooks  []*unstructured.Unstructured
	installed []installed
	// beside are the operators that it needs, and mounted the files that were made for it.
	beside  []*Running
	mounted []string
}

// installed is an object that goes when the operator does.
type installed struct {
	resource schema.GroupVersionResource
	name     string
}

// Start builds the operator if need be, installs its definitions, and runs it until its
// webhooks are served. Remove takes all of that away again.
func (o Operator) Start(ctx context.Context, cluster *localcluster.Cluster, progress func(string)) (*Running, error) {
	if o.Builtin {
		return &Running{operator: o, cluster: cluster}, nil
	}
	built, err := localcluster.EnsureRelease(ctx, "", o.Release, progress)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(cluster.AdminConfig())
	if err != nil {
		return nil, fmt.Errorf("making a client for the objects of %s: %w", o.Title, err)
	}
	r := &Running{operator: o, cluster: cluster, client: client, binary: built.Binary}
	err = r.startBeside(ctx, progress)
	if err == nil {
		err = r.start(ctx, built.Source)
	}
	if err != nil {
		return nil, errors.Join(err, r.Remove(ctx))
	}
	return r, nil
}

// startBeside starts the operators that this one needs.
func (r *Running) startBeside(ctx context.Context, progress func(string)) error {
	for _, name := range r.operator.Needs {
		needed, err := named(name)
		if err != nil {
			return err
		}
		running, err := needed.Start(ctx, r.cluster, progress)
		if err != nil {
			return err
		}
		r.beside = append(r.beside, running)
	}
	return nil
}

func (r *Running) start(ctx context.Context, source string) error {
	if err := r.prepare(); err != nil {
		return err
	}
	for _, secret := range r.operator.Secrets {
		if err := r.makeSecret(ctx, secret); err != nil {
			return err
		}
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
	certificates := filepath.Join(dir, "k8s-webhook-server", "serving-certs")
	if err := os.MkdirAll(certificates, 0o755); err != nil {
		return fmt.Errorf("making the directory of %s: %w", r.operator.Title, err)
	}
	r.place = Place{Kubeconfig: r.cluster.Kubeconfig(), Config: filepath.Join(dir, "config.yaml"), Temporary: dir, Certificates: certificates}
	var err error
	for _, port := range []*int{&r.place.WebhookPort, &r.place.PlayedPort} {
		if *port, err = freePort(); err != nil {
			return err
		}
	}
	if r.authority, err = r.cluster.WriteServingCertificate(certificates); err != nil {
		return err
	}
	if err := r.mount(); err != nil {
		return err
	}
	if err := r.play(); err != nil {
		return err
	}
	config, err := fill(r.operator.Config, r.place)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.place.Config, []byte(config), 0o644); err != nil {
		return fmt.Errorf("writing the configuration of %s: %w", r.operator.Title, err)
	}
	return nil
}

// run starts a program with the operator's environment; arguments are templates.
func (r *Running) run(name, binary string, arguments []string) (*localcluster.Program, error) {
	args, err := fillAll(arguments, r.place)
	if err != nil {
		return nil, err
	}
	if len(r.operator.Env) > 0 {
		env, err := fillAll(r.operator.Env, r.place)
		if err != nil {
			return nil, err
		}
		// env(1) becomes the program.
		args = slices.Concat(env, []string{binary}, args)
		if binary, err = exec.LookPath("env"); err != nil {
			return nil, fmt.Errorf("starting %s: %w", name, err)
		}
	}
	return r.cluster.StartProgram(name, binary, args...)
}

// play builds and starts what is played for the operator.
func (r *Running) play() error {
	played := r.operator.Played
	if played == nil {
		return nil
	}
	binary := filepath.Join(r.place.Temporary, "bin", played.Name)
	build := exec.Command("go", "build", "-o", binary, played.Package)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building what is played for %s: %w\n%s", r.operator.Title, err, output)
	}
	var err error
	r.played, err = r.run(played.Name, binary, played.Args)
	return err
}

// fillAll fills in several templates.
func fillAll(texts []string, place Place) ([]string, error) {
	var out []string
	for _, text := range texts {
		filled, err := fill(text, place)
		if err != nil {
			return nil, err
		}
		out = append(out, filled)
	}
	return out, nil
}

// Resume runs the operator, after Stop too.
func (r *Running) Resume(ctx context.Context) error {
	if r.operator.Builtin {
		return r.cluster.RestartControllers()
	}
	var err error
	if r.program, err = r.run(r.operator.Release.Name, r.binary, r.operator.Args); err != nil {
		return err
	}
	if len(r.operator.Server) > 0 {
		if r.server, err = r.run(r.operator.Release.Name+"-webhook", r.binary, r.operator.Server); err != nil {
			return err
		}
	}
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

// Stop ends the operator, as when its node dies. Its webhooks are still asked, and fail.
func (r *Running) Stop() {
	if r.operator.Builtin {
		r.cluster.KillControllers()
		return
	}
	r.kill(r.program, r.server)
}

// kill ends those programs that were started.
func (r *Running) kill(programs ...*localcluster.Program) {
	for _, program := range programs {
		if program != nil {
			program.Kill()
		}
	}
}

// Exited says how the operator ended, if it has ended by itself, or what runs beside it.
func (r *Running) Exited() error {
	if r.operator.Builtin {
		return r.cluster.ControllersExited()
	}
	for _, program := range [...]*localcluster.Program{r.program, r.server, r.played} {
		if program == nil {
			continue
		}
		select {
		case <-program.Exited():
			return program.Failure()
		default:
		}
	}
	return nil
}

// Log returns the end of the operator's log, and of those of what runs beside it.
func (r *Running) Log() string {
	if r.operator.Builtin {
		return tail(filepath.Join(r.cluster.Dir(), "kube-controller-manager.log"))
	}
	var logs []string
	for _, program := range [...]*localcluster.Program{r.program, r.server, r.played} {
		if program != nil {
			logs = append(logs, tail(program.LogPath()))
		}
	}
	return strings.Join(logs, "\n")
}

// tail returns the end of a file.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(text[max(0, len(text)-most):])
}

// Remove ends the operator and removes its definitions, and with them all of its objects.
func (r *Running) Remove(ctx context.Context) error {
	if r.operator.Builtin && r.Exited() != nil {
		return r.Resume(ctx)
	}
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
	r.kill(r.program, r.server, r.played)
	for _, path := range r.mounted {
		failed = errors.Join(failed, os.Remove(path))
	}
	for _, beside := range r.beside {
		failed = errors.Join(failed, beside.Remove(ctx))
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
