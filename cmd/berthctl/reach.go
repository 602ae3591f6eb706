package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/berth-dev/berth/pkg/insight"
)

// reach is where the scheduler is asked, and as whom.
type reach struct {
	connection
	namespace string
	// server is its URL; without one, the leader's pod is asked through the API server.
	server, authority string
	insecure          bool
	// lease and port are where the leader is looked for.
	leaseNamespace, lease, podNamespace string
	port                                int
}

// serverVariable is the environment variable that stands for --server.
const serverVariable = "BERTH_SERVER"

func (r *reach) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&r.namespace, "namespace", "n", "", "namespace (default: that of the context)")
	flags.StringVar(&r.server, "server", os.Getenv(serverVariable), "URL of the scheduler's secure port, as https://127.0.0.1:10259 (default: $"+serverVariable+", else the leader's pod, through the API server)")
	flags.StringVar(&r.authority, "server-ca", "", "file with the certificates by which that of --server is judged (default: those of the machine)")
	flags.BoolVar(&r.insecure, "insecure-skip-tls-verify", false, "take any certificate of --server: it makes one for itself at start unless it is given one")
	flags.StringVar(&r.lease, "lease", "berth", "name of the Lease that the leader holds")
	flags.StringVar(&r.leaseNamespace, "lease-namespace", "kube-system", "namespace of that Lease")
	flags.StringVar(&r.podNamespace, "scheduler-namespace", "berth-system", "namespace of the scheduler's pods")
	flags.IntVar(&r.port, "scheduler-port", 10259, "secure port of the scheduler's pods")
	r.connection.addFlags(flags)
}

// scheduler is a running scheduler that can be asked.
type scheduler struct {
	client *http.Client
	base   string
	// where is how it is called in a sentence.
	where     string
	namespace string
	config    *rest.Config
	close     func()
}

// errNotThere says that there is nobody of a name.
var errNotThere = errors.New("not there")

// notThere is errNotThere in a sentence of its own.
type notThere struct{ sentence string }

func (e notThere) Error() string        { return e.sentence }
func (e notThere) Is(target error) bool { return target == errNotThere }

// errNoPage says that a scheduler does not know a path.
var errNoPage = errors.New("no such page")

// open finds the scheduler.
func (r reach) open(ctx context.Context) (*scheduler, error) {
	loader := r.loader()
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("who asks the scheduler is what a kubeconfig says: %w; give --kubeconfig", err)
	}
	s := &scheduler{config: config, namespace: r.namespace, base: strings.TrimSuffix(r.server, "/"), where: r.server, close: func() {}}
	if s.namespace == "" {
		if s.namespace, _, err = loader.Namespace(); err != nil || s.namespace == "" {
			s.namespace = metav1.NamespaceDefault
		}
	}
	as := rest.CopyConfig(config)
	as.Timeout = requestTimeout
	// The certificate of the API server says nothing of the scheduler's.
	as.TLSClientConfig.CAData, as.TLSClientConfig.CAFile, as.TLSClientConfig.ServerName = nil, r.authority, ""
	as.TLSClientConfig.Insecure = r.insecure
	if r.server == "" {
		way, err := r.forward(ctx, s)
		if err != nil {
			return nil, err
		}
		as.Dial, as.Proxy = way.dial, direct
		// The API server and the kubelet lead to the pod; its certificate is of its own making.
		as.TLSClientConfig.CAFile, as.TLSClientConfig.Insecure = "", true
	} else if at, err := url.Parse(s.base); err != nil || at.Host == "" || at.Scheme != "https" {
		return nil, fmt.Errorf("--server is a URL such as https://127.0.0.1:10259, not %q", r.server)
	}
	if as.TLSClientConfig.Insecure && as.TLSClientConfig.CAFile != "" {
		return nil, errors.New("--server-ca and --insecure-skip-tls-verify contradict each other; give one")
	}
	if s.client, err = rest.HTTPClientFor(as); err != nil {
		s.close()
		return nil, fmt.Errorf("setting up the connection to the scheduler: %w", err)
	}
	return s, nil
}

// direct has a connection go through no proxy: a tunnel leads to one place.
func direct(*http.Request) (*url.URL, error) { return nil, nil }

// forward opens a way to the leader's pod.
func (r reach) forward(ctx context.Context, s *scheduler) (*tunnel, error) {
	const otherwise = "; or give --server with the URL of its secure port"
	client, err := kubernetes.NewForConfig(s.config)
	if err != nil {
		return nil, err
	}
	lease, err := client.CoordinationV1().Leases(r.leaseNamespace).Get(ctx, r.lease, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no Lease %s/%s, so no Berth leads here: is it installed? --lease and --lease-namespace name another%s", r.leaseNamespace, r.lease, otherwise)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("the leader is found by its Lease, %s/%s, and you may not read it; the ClusterRole berth-viewer lets you%s: %w", r.leaseNamespace, r.lease, otherwise, err)
	case err != nil:
		return nil, fmt.Errorf("reading the Lease of the leader, %s/%s: %w", r.leaseNamespace, r.lease, err)
	case lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "":
		return nil, fmt.Errorf("nobody holds Lease %s/%s: no Berth leads at the moment", r.leaseNamespace, r.lease)
	}
	// The identity is that of kube-scheduler: the host, which is the pod, and a number.
	pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	at := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(r.podNamespace).Name(pod).SubResource("portforward").URL()
	way, err := openTunnel(ctx, s.config, at, r.port)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && strings.Contains(err.Error(), "not found") {
		return nil, fmt.Errorf("the leader calls itself %q, which is no pod of namespace %s: if it runs outside of the cluster, give its address, as --server https://127.0.0.1:%d --insecure-skip-tls-verify; if its pods are elsewhere, --scheduler-namespace", pod, r.podNamespace, r.port)
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the leader, pod %s/%s, through the API server: %w; that takes create on pods/portforward, which the Role berth-viewer in namespace %[1]s gives, and a scheduler that runs as a pod there%[4]s", r.podNamespace, pod, err, otherwise)
	}
	s.base, s.where, s.close = fmt.Sprintf("https://127.0.0.1:%d", r.port), fmt.Sprintf("pod %s/%s", r.podNamespace, pod), way.close
	return way, nil
}

// get asks for a page of JSON.
func (s *scheduler) get(ctx context.Context, path string, query url.Values, into any) error {
	body, err := s.fetch(ctx, path, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the scheduler at %s answers in words that are not known here: %w; is this berthctl as new as it?", s.where, err)
	}
	return nil
}

// fetch asks for a page.
func (s *scheduler) fetch(ctx context.Context, path string, query url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		hint := ""
		if strings.Contains(err.Error(), "certificate") {
			hint = "; its certificate may be one of its own making: give --server-ca with the file of it, or --insecure-skip-tls-verify"
		}
		return nil, fmt.Errorf("the scheduler at %s cannot be reached: %w%s", s.where, err, hint)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the scheduler at %s: %w", s.where, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, s.refusal(path, response.StatusCode, body)
	}
	return body, nil
}

// refusal says what an answer means that is none: its status, and its text.
func (s *scheduler) refusal(path string, status int, body []byte) error {
	var failure insight.Failure
	_ = json.Unmarshal(body, &failure)
	switch status {
	case http.StatusUnauthorized:
		return fmt.Errorf("the scheduler at %s does not know who you are (401): it asks the API server, which does not take your credentials; has your token expired, or is your kubeconfig that of another cluster?", s.where)
	case http.StatusForbidden:
		return fmt.Errorf("you may not read %s of the scheduler (403): have an administrator bind the ClusterRole berth-viewer to you, as by\n  kubectl create clusterrolebinding berth-viewer-$USER --clusterrole=berth-viewer --user=YOU", path)
	case http.StatusNotFound:
		if failure.Error == "" {
			return fmt.Errorf("%w: the scheduler at %s has none on %s: is it Berth, and as new as this berthctl?", errNoPage, s.where, path)
		}
		return notThere{strings.TrimPrefix(failure.Error, "not found: ")}
	}
	if failure.Error == "" {
		failure.Error = strings.TrimSpace(string(body))
	}
	return fmt.Errorf("the scheduler at %s answers %d: %s", s.where, status, failure.Error)
}
