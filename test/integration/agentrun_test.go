package integration

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	podresourcesv1 "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/agent/board"
	"github.com/berth-dev/berth/pkg/api/v1alpha1"
	"github.com/berth-dev/berth/pkg/core/topology"
	"github.com/berth-dev/berth/pkg/localcluster"
)

// agentEnvironment is a control plane with two nodes for one test, with the agent's
// account, rights and policy. The shared one is not for it: schedulers of other tests
// would act on what is reported.
func agentEnvironment(t *testing.T) *environment {
	t.Helper()
	e, err := newEnvironment(localcluster.Options{AuditLog: true}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	objects, err := manifests.AgentWithoutDaemonSet()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CreateObjects(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server knows NodeTopologies", func(ctx context.Context) error {
		_, err := e.dynamic.Resource(nodeTopologies).List(ctx, metav1.ListOptions{})
		return err
	})
	return e
}

// agentToken returns the token that an agent's pod on a node has.
func (e *environment) agentToken(t *testing.T, node string) string {
	t.Helper()
	pod, err := e.client.CoreV1().Pods(agentNamespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "berth-agent-"},
		Spec: corev1.PodSpec{
			NodeName:           node,
			ServiceAccountName: "berth-agent",
			Containers:         []corev1.Container{{Name: "agent", Image: "none"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	token, err := e.client.CoreV1().ServiceAccounts(agentNamespace).CreateToken(t.Context(), "berth-agent", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// withToken is a client for who has a token.
func (e *environment) withToken(t *testing.T, token string) dynamic.Interface {
	t.Helper()
	admin := e.AdminConfig()
	client, err := dynamic.NewForConfig(&rest.Config{Host: admin.Host, BearerToken: token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAData: admin.CAData}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// agentRun is an agent, its kubelet, and the file of its machine.
type agentRun struct {
	*environment
	whole                     *testing.T
	binary, board, kubeconfig string
	kubelet                   *fakeKubelet
	// writes are those that were made before the last check.
	writes map[string]int
}

func newAgentRun(t *testing.T, e *environment) *agentRun {
	t.Helper()
	dir := t.TempDir()
	a := &agentRun{
		environment: e,
		whole:       t,
		binary:      filepath.Join(dir, "berth-agent"),
		board:       filepath.Join(dir, "board.txt"),
		kubeconfig:  filepath.Join(dir, "kubeconfig"),
		kubelet:     newFakeKubelet(t),
		writes:      map[string]int{},
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", a.binary, "github.com/berth-dev/berth/cmd/berth-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the agent: %v\n%s", err, output)
	}
	admin := e.AdminConfig()
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: admin.Host, CertificateAuthorityData: admin.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: e.agentToken(t, agentNode)}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "c",
	}
	if err := clientcmd.WriteToFile(config, a.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return a
}

// play makes the machine one of the matrices of the core's tests.
func (a *agentRun) play(t *testing.T, matrix string) topology.Table {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../pkg/core/topology/testdata", matrix))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.board, text, 0o644); err != nil {
		t.Fatal(err)
	}
	table, err := topology.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// take takes a device out of the machine.
func (a *agentRun) take(t *testing.T, number int) {
	t.Helper()
	text, err := os.ReadFile(a.board)
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	column := -1
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		name := fmt.Sprintf("GPU%d", number)
		switch {
		case len(fields) == 0 || fields[0] == "#" || fields[0] == name:
			continue
		case column < 0: // the header, which has no name of a row
			for i, field := range fields {
				if field == name {
					column = i
				}
			}
			fields = append(fields[:column:column], fields[column+1:]...)
		default:
			fields = append(fields[:column+1:column+1], fields[column+2:]...)
		}
		kept.WriteString(strings.Join(fields, " ") + "\n")
	}
	if err := os.WriteFile(a.board, []byte(kept.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts the agent. It ends with the whole test, whichever part of it starts it,
// and its log may not say forbidden.
func (a *agentRun) start() *localcluster.Program {
	t := a.whole
	t.Helper()
	program, err := a.StartProgram("berth-agent", a.binary, "--node-name="+agentNode, "--kubeconfig="+a.kubeconfig,
		"--board="+a.board, "--podresources-socket="+a.kubelet.socket, "--poll-interval=1s", "--metrics-address=")
	if err != nil {
		t.Fatalf("starting the agent: %v", err)
	}
	t.Cleanup(func() {
		program.Kill()
		checkLog(t, program.LogPath())
	})
	return program
}

// get returns what is reported.
func (a *agentRun) get(t *testing.T) *v1alpha1.NodeTopology {
	t.Helper()
	got, err := a.reported(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (a *agentRun) reported(ctx context.Context) (*v1alpha1.NodeTopology, error) {
	object, err := a.dynamic.Resource(nodeTopologies).Get(ctx, agentNode, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	got := &v1alpha1.NodeTopology{}
	return got, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, got)
}

func (a *agentRun) eventually(t *testing.T, what string, check func(*v1alpha1.NodeTopology) error) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) error {
		got, err := a.reported(ctx)
		if err != nil {
			return err
		}
		return check(got)
	})
}

// expectWrites checks what the agent has written since the last check.
func (a *agentRun) expectWrites(t *testing.T, when string, want map[string]int) {
	t.Helper()
	all, err := a.Writes(t.Context(), agentUser)
	if err != nil {
		t.Fatal(err)
	}
	since := map[string]int{}
	for what, n := range all {
		if n -= a.writes[what]; n > 0 {
			since[what] = n
		}
	}
	a.writes = all
	if diff := cmp.Diff(want, since); diff != "" {
		t.Errorf("%s: writes (-want +got):\n%s", when, diff)
	}
}

// polls waits until the agent has asked the kubelet n more times, and has decided on
// all answers but the last.
func (a *agentRun) polls(t *testing.T, n int) {
	t.Helper()
	until := a.kubelet.asked() + n
	eventually(t, "the agent polls", func(context.Context) error {
		if got := a.kubelet.asked(); got < until {
			return fmt.Errorf("it has polled %d times, not %d", got, until)
		}
		return nil
	})
}

// ready checks the condition.
func ready(got *v1alpha1.NodeTopology, reason string) error {
	for _, c := range got.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Reason == reason {
			return nil
		}
	}
	return fmt.Errorf("conditions are %v, want %s", got.Status.Conditions, reason)
}

// checkMachine checks that a report has the devices and links of a matrix.
func checkMachine(t *testing.T, got *v1alpha1.NodeTopology, table topology.Table) {
	t.Helper()
	m := topology.Matrix{Devices: len(got.Spec.Devices)}
	for i, d := range got.Spec.Devices {
		if want := board.UUID(agentNode, table.Numbers[i]); d.UUID != want || d.Product == "" {
			t.Errorf("device %d is %+v, want the UUID %s and a product", i, d, want)
		}
		m.NUMA[i] = topology.UnknownNUMA
		if d.NUMANode != nil {
			m.NUMA[i] = int16(*d.NUMANode)
		}
	}
	for _, link := range got.Spec.Links {
		path, _ := topology.ParsePath(string(link.Path))
		m.Join(int(link.A), int(link.B), topology.Link{Path: path, NVLinks: uint8(link.NVLinks), Switched: link.Switched})
	}
	if diff := cmp.Diff(table.Matrix, m); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// fakeKubelet says what pods hold, on a socket.
type fakeKubelet struct {
	podresourcesv1.UnimplementedPodResourcesListerServer
	socket string

	mu     sync.Mutex
	server *grpc.Server                             // guarded by mu
	answer *podresourcesv1.ListPodResourcesResponse // guarded by mu
	n      int                                      // guarded by mu
}

func newFakeKubelet(t *testing.T) *fakeKubelet {
	t.Helper()
	// Not the test's directory: the path of a socket must be short.
	dir, err := os.MkdirTemp("", "berth-kubelet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k := &fakeKubelet{socket: filepath.Join(dir, "kubelet.sock"), answer: &podresourcesv1.ListPodResourcesResponse{}}
	k.start(t)
	return k
}

func (k *fakeKubelet) start(t *testing.T) {
	t.Helper()
	_ = os.Remove(k.socket)
	listener, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	podresourcesv1.RegisterPodResourcesListerServer(server, k)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server = server
}

func (k *fakeKubelet) stop() {
	k.mu.Lock()
	server := k.server
	k.mu.Unlock()
	server.Stop()
}

// List counts, and answers what it was told to say.
func (k *fakeKubelet) List(context.Context, *podresourcesv1.ListPodResourcesRequest) (*podresourcesv1.ListPodResourcesResponse, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	return k.answer, nil
}

func (k *fakeKubelet) asked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n
}

func (k *fakeKubelet) say(pod string, uuids ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = &podresourcesv1.ListPodResourcesResponse{PodResources: []*podresourcesv1.PodResources{{
		Name: pod, Namespace: "team",
		Containers: []*podresourcesv1.ContainerResources{{
			Name:    "main",
			Devices: []*podresourcesv1.ContainerDevices{{ResourceName: string(localcluster.GPUResource), DeviceIds: uuids}},
		}},
	}}}
}
