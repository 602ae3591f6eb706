package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/berth-dev/berth/pkg/localcluster"
)

// The contenders that are always there.
const (
	upstream = "upstream"
	berth    = "berth"
	null     = "null"
)

// contender is a scheduler that is measured, as a program.
type contender struct {
	name string
	// scheduler is the schedulerName of its pods.
	scheduler string
	binary    string
	// user is who it is to the API server.
	user string
	// args are its flags, for a kubeconfig of the user.
	args func(kubeconfig string) ([]string, error)
}

// isBerth reports whether it is a build of Berth.
func (c contender) isBerth() bool { return c.name != upstream && c.name != null }

// contendersOf builds the programs of those that are measured.
func (o *options) contendersOf(ctx context.Context, dir string) ([]contender, error) {
	var out []contender
	for _, name := range o.contenders {
		c, err := o.contender(ctx, name, dir)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (o *options) contender(ctx context.Context, name, dir string) (contender, error) {
	c := contender{name: name, binary: filepath.Join(dir, name)}
	switch name {
	case upstream:
		c.scheduler, c.user = "default-scheduler", "system:kube-scheduler"
		c.args = func(kubeconfig string) ([]string, error) {
			return kubeSchedulerArgs(filepath.Join(dir, "kube-scheduler.yaml"), kubeconfig)
		}
		say("building kube-scheduler %s", localcluster.KubernetesVersion())
		return c, build(ctx, c.binary, "k8s.io/kubernetes/cmd/kube-scheduler",
			"-X k8s.io/component-base/version.gitVersion="+localcluster.KubernetesVersion())
	case null:
		c.scheduler, c.user = "null", "null"
		c.args = func(kubeconfig string) ([]string, error) {
			return []string{"null", "--kubeconfig=" + kubeconfig}, nil
		}
		self, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("finding this program: %w", err)
		}
		c.binary = self
		return c, nil
	}
	c.scheduler, c.user = "berth", "system:serviceaccount:berth-system:berth"
	c.args = func(kubeconfig string) ([]string, error) {
		return []string{"--kubeconfig=" + kubeconfig}, nil
	}
	if path, given := o.builds[name]; given {
		c.binary = path
		return c, nil
	}
	say("building Berth")
	return c, build(ctx, c.binary, "github.com/berth-dev/berth/cmd/berth", "")
}

// build builds a program of this module or of one that it requires.
func build(ctx context.Context, output, pkg, ldflags string) error {
	root, err := localcluster.Repository()
	if err != nil {
		return err
	}
	if root == "" {
		return fmt.Errorf("building %s: run this inside the repository", pkg)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags="+ldflags, "-o", output, pkg)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// kubeSchedulerConfig is kube-scheduler's default but for the client's rate limit, which is
// 50 requests a second and would be all that is measured.
const kubeSchedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: %s
  qps: 5000
  burst: 10000
leaderElection:
  leaderElect: LEADER
`

// kubeSchedulerArgs are kube-scheduler's flags, with the gates for gangs.
func kubeSchedulerArgs(config, kubeconfig string) ([]string, error) {
	for _, lead := range []string{"true", "false"} {
		text := strings.ReplaceAll(fmt.Sprintf(kubeSchedulerConfig, kubeconfig), "LEADER", lead)
		if err := os.WriteFile(leading(config, lead), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("writing kube-scheduler's configuration: %w", err)
		}
	}
	return []string{"--feature-gates=GenericWorkload=true,TopologyAwareWorkloadScheduling=true", "--config=" + leading(config, "false")}, nil
}

func leading(config, lead string) string {
	return strings.TrimSuffix(config, ".yaml") + "-" + lead + ".yaml"
}

// serving are the flags of a scheduler that serves its metrics to everybody on a port of
// this machine, and has to win an election or not.
func (c contender) serving(kubeconfig string, port int, elect bool) ([]string, error) {
	args, err := c.args(kubeconfig)
	if err != nil || c.name == null {
		return args, err
	}
	args = append(args, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1",
		"--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--authorization-always-allow-paths=/metrics,/healthz,/readyz")
	if c.name == upstream {
		if elect {
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "-false.yaml", "-true.yaml")
			}
		}
		return args, nil
	}
	return append(args, fmt.Sprintf("--leader-elect=%t", elect)), nil
}

// freePort returns a port of this machine on which nobody listens.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
