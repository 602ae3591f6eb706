package localcluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"
)

// etcdSocket, in the state directory, is where etcd serves its one client.
const etcdSocket = "etcd.sock"

// maxSocketPath is the longest path of a unix socket that every system takes.
const maxSocketPath = 103

// etcdArgs are etcd's flags for a cluster whose state is in dir. Nobody
// connects as a peer, nor through the advertised address, which is not one.
func etcdArgs(dir string) []string {
	return []string{
		"--name=berth-local",
		"--data-dir=" + filepath.Join(dir, "etcd"),
		"--listen-client-urls=unix://" + filepath.Join(dir, etcdSocket),
		"--advertise-client-urls=http://127.0.0.111:0",
		"--listen-peer-urls=http://127.0.0.1:0",
		"--unsafe-no-fsync",
		"--quota-backend-bytes=" + strconv.Itoa(8<<30),
		"--log-level=warn",
	}
}

// waitForEtcd returns once etcd accepts connections.
func waitForEtcd(ctx context.Context, dir string, p *process) error {
	return poll(ctx, p, func() error {
		conn, err := net.Dial("unix", filepath.Join(dir, etcdSocket))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// poll asks until done returns no error, the process ends or ctx does.
func poll(ctx context.Context, p *process, done func() error) error {
	const interval = 25 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return p.failure()
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q to be ready: %w (last: %v); its log ends with:\n%s",
				p.name, context.Cause(ctx), err, tail(p.logPath, 15))
		case <-tick.C:
		}
	}
}
