package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/berth-dev/berth/bench/report"
	"github.com/berth-dev/berth/pkg/localcluster"
)

// options are the flags.
type options struct {
	topics     []string
	schedulers []string
	runs       int
	small      bool
	out        string
	profiles   string
}

// patience is how long one run may take.
func patience(small bool) time.Duration {
	if small {
		return 4 * time.Minute
	}
	return 20 * time.Minute
}

// run runs all rounds. It goes on after a run that failed, and fails in the end.
func (o *options) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	binaries, err := localcluster.EnsureBinaries(ctx, "", func(text string) { fmt.Fprintln(os.Stderr, text) })
	if err != nil {
		return err
	}
	all, err := o.singles()
	if err != nil {
		return err
	}
	found := report.Report{Environment: report.Here()}
	var samples []report.PerfSample
	failed := 0
	start := time.Now()
	for i, s := range all {
		sample, err := process{self: self, binaries: binaries}.run(ctx, s)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed++
			sample = report.PerfSample{Topic: s.topic, Scheduler: s.scheduler, Failed: err.Error()}
		}
		samples = append(samples, sample)
		found.Perf = report.PerfRows(samples)
		if err := found.Write(o.out); err != nil {
			return err
		}
		elapsed := time.Since(start)
		left := elapsed / time.Duration(i+1) * time.Duration(len(all)-i-1)
		fmt.Fprintf(os.Stderr, "%3d/%d  %-11s %-13s %s  (%s, about %s left)\n", i+1, len(all), s.topic, s.scheduler, line(sample), elapsed.Round(time.Second), left.Round(time.Second))
	}
	fmt.Println(report.PerfTable(found.Perf))
	fmt.Println("written:", o.out)
	if failed > 0 {
		return fmt.Errorf("%d of %d runs failed", failed, len(all))
	}
	return nil
}

// singles returns all runs in their order.
func (o *options) singles() ([]single, error) {
	var all []single
	for round := range o.runs {
		for _, name := range o.topics {
			t, err := find(name)
			if err != nil {
				return nil, err
			}
			for _, who := range o.schedulers {
				if !t.runs(who, round) {
					continue
				}
				s := single{topic: name, scheduler: who, small: o.small}
				if o.profiles != "" {
					s.profile = filepath.Join(o.profiles, fmt.Sprintf("%s-%s-%d.cpu", name, who, round+1))
				}
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("--topics=%s --schedulers=%s: none of the schedulers has a part in the topics", strings.Join(o.topics, ","), strings.Join(o.schedulers, ","))
	}
	return all, nil
}

// line is a sample in one line.
func line(s report.PerfSample) string {
	if s.Failed != "" {
		return "FAILED: " + s.Failed
	}
	gang := ""
	if s.AlgorithmMsPerGang != nil {
		gang = fmt.Sprintf("  %.1f ms a gang", *s.AlgorithmMsPerGang)
	}
	return fmt.Sprintf("%6.1f pods/s  cycle p50 %.0f p99 %.0f µs  %.2f CPU s and %.0f writes per 1,000 pods%s",
		s.PodsPerSecond, s.CycleUsP50, s.CycleUsP99, s.CPUSecondsPer1000Pods, 1000*s.APIWritesPerPod, gang)
}

// process runs single runs, each in a process of its own.
type process struct {
	// self is this program with the arguments that come before single's, binaries the
	// folder that has etcd.
	self, binaries string
}

func (p process) run(ctx context.Context, s single) (report.PerfSample, error) {
	ctx, cancel := context.WithTimeout(ctx, patience(s.small))
	defer cancel()
	dir, err := os.MkdirTemp("", "berth-perf-")
	if err != nil {
		return report.PerfSample{}, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	s.out = filepath.Join(dir, "sample.json")
	args := []string{"single", "--topic", s.topic, "--scheduler", s.scheduler, "--out", s.out, "--small=" + strconv.FormatBool(s.small)}
	if s.profile != "" {
		if s.profile, err = filepath.Abs(s.profile); err != nil {
			return report.PerfSample{}, fmt.Errorf("finding the folder of profiles: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(s.profile), 0o755); err != nil {
			return report.PerfSample{}, fmt.Errorf("making the folder of profiles: %w", err)
		}
		args = append(args, "--cpuprofile", s.profile)
	}
	cmd := exec.CommandContext(ctx, p.self, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+p.binaries+string(os.PathListSeparator)+os.Getenv("PATH"),
		// The detector copies every object that an informer hands out.
		"KUBE_CACHE_MUTATION_DETECTOR=false", "TMPDIR="+dir)
	// etcd is in the group, and goes with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	output, err := cmd.CombinedOutput()
	if err == nil {
		var data []byte
		if data, err = os.ReadFile(s.out); err == nil {
			var sample report.PerfSample
			if err = json.Unmarshal(data, &sample); err == nil {
				return sample, nil
			}
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return report.PerfSample{}, fmt.Errorf("running %s with %s: %w\n%s", s.topic, s.scheduler, err, tail(output))
}

// tail is what is worth reading of a failed run's output.
func tail(output []byte) string {
	const most = 30
	lines := strings.Split(string(bytes.TrimSpace(output)), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		// The log of the API server.
		return len(l) > 5 && strings.ContainsRune("IW", rune(l[0])) && l[1] >= '0' && l[1] <= '9'
	})
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
