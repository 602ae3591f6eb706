package localcluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parentEnv makes the test binary start a cluster, print a line with the ids
// of its processes, and live until it is killed.
const parentEnv = "BERTH_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) == "" {
		os.Exit(m.Run())
	}
	c, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, p := range c.running {
		fmt.Print(p.cmd.Process.Pid, " ")
	}
	fmt.Println()
	select {}
}

func TestKilledParentLeavesNoProcess(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // a program that is killed cannot remove its directory
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentEnv+"=1")
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the parent says %q: %v", line, err)
	}
	children := strings.Fields(line)
	if len(children) != 2 {
		t.Fatalf("the parent says %q, want two process ids", line)
	}
	for _, pid := range children {
		if !alive(pid) {
			t.Fatalf("process %s is not there before its parent is killed", pid)
		}
	}
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitFor(t, 10*time.Second, func() error {
		for _, pid := range children {
			if alive(pid) {
				return fmt.Errorf("process %s outlives its parent", pid)
			}
		}
		return nil
	})
}

// alive reports whether a process runs: it exists, and is not one that ended
// and that nobody has waited for, for which kill(pid, 0) succeeds.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}
