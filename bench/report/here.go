package report

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"runtime/debug"
)

// kubernetesModule is the module whose version is that of Kubernetes.
const kubernetesModule = "k8s.io/kubernetes"

// Here describes this machine and this program. What cannot be found is empty.
func Here() Environment {
	e := Environment{
		Date: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), CPUs: runtime.NumCPU(),
		CPU: firstField("/proc/cpuinfo", "model name"),
	}
	if kib, err := strconv.ParseFloat(strings.TrimSuffix(firstField("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		e.MemoryGiB = kib / (1 << 20)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == kubernetesModule {
				e.Kubernetes = m.Version
			}
		}
	}
	if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		e.Commit = strings.TrimSpace(string(commit))
	}
	return e
}

// firstField returns the value of the first line "name : value" of a file.
func firstField(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if n, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(n) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
