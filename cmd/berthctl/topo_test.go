package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/dynamic"

	"github.com/berth-dev/berth/pkg/core/topology"
)

var rewrite = flag.Bool("rewrite", false, "write the expected output under testdata anew")

// noCluster is what there is without a kubeconfig.
func noCluster(connection) (dynamic.Interface, error) { return nil, errors.New("no kubeconfig") }

// berthctl runs the command on a text as standard input.
func berthctl(t *testing.T, dial dialer, in string, args ...string) (status int, out, log string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), newCommand(dial), args, strings.NewReader(in), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// transcript runs commands, and shows what each was, said, and ended with.
func transcript(t *testing.T, dial dialer, commands ...string) string {
	t.Helper()
	var text strings.Builder
	for _, command := range commands {
		status, out, log := berthctl(t, dial, "", append([]string{"topo"}, strings.Fields(command)...)...)
		fmt.Fprintf(&text, "$ berthctl topo %s\n%s%s", command, out, log)
		if status != statusAnswer {
			fmt.Fprintf(&text, "status %d\n", status)
		}
		if strings.Count(out, "\n") > 1 {
			text.WriteString("\n")
		}
	}
	return text.String()
}

// golden compares a text with the file of that name.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -rewrite writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// fixtures are the matrices under testdata, which becomes the working directory.
func fixtures(t *testing.T) map[string]topology.Table {
	t.Helper()
	t.Chdir("testdata")
	files, err := filepath.Glob("*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no matrices under testdata: %v", err)
	}
	tables := map[string]topology.Table{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if tables[file], err = topology.Parse(string(text)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return tables
}

// TestFixtures shows every matrix idle and half taken, and every size as JSON.
func TestFixtures(t *testing.T) {
	for file, table := range fixtures(t) {
		t.Run(file, func(t *testing.T) {
			n := table.Devices
			var odd []int
			for d := 1; d < n; d += 2 {
				odd = append(odd, table.Numbers[d])
			}
			half := strconv.Itoa(n / 2)
			commands := []string{
				file + " -k " + half,
				file + " -k 2 --free " + list(odd),
			}
			for k := 1; k <= n; k++ {
				commands = append(commands, fmt.Sprintf("%s -k %d -o json", file, k))
			}
			for k := 1; k <= len(odd); k++ {
				commands = append(commands, fmt.Sprintf("%s -k %d --free %s -o json", file, k, list(odd)))
			}
			golden(t, strings.TrimSuffix(file, ".txt")+".golden", transcript(t, noCluster, commands...))
		})
	}
}

// TestFlags shows what flags do to the hardest matrix.
func TestFlags(t *testing.T) {
	t.Chdir("testdata")
	golden(t, "flags.golden", transcript(t, noCluster,
		"dgx1-v100.txt -k 1",
		"dgx1-v100.txt -k 8",
		"dgx1-v100.txt -k 3 --link nvlink --free 0,1,2,4,5",
		"dgx1-v100.txt -k 5 --link nvlink",
		"dgx1-v100.txt -k 5 --link nvlink -o json",
		"dgx1-v100.txt -k 4 --link pcie --free 0,1,6,7",
		"pcie-8x4090.txt -k 4 --link pcie --gpu NVIDIA_GeForce_RTX_4090",
		"pcie-8x4090.txt -k 5 --link numa",
		"dgx1-v100.txt -k 5 --picker device-plugin",
		"dgx1-v100.txt -k 5 --picker device-plugin -o json",
		"dgx1-v100.txt -k 3 --picker device-plugin --link nvlink",
		"dgx1-v100.txt -k 3 --picker device-plugin --link nvlink --free 0,1,4,5",
		"hgx-h100.txt -k 3 --gpu H100 -o json",
		"hgx-h100.txt -k 2 --gpu h100 --free 7,0,5 -o json",
		"dgx1-v100.txt -k 4 --free 6,2,0",
		"dgx1-v100.txt -k 4 --free 6,2,0 -o json",
		"dgx1-v100.txt -k 1 --free= -o json",
		"gb200-tray.txt -k 8",
		"gb200-tray.txt -k 8 -o json",
	))
}

func TestRefuses(t *testing.T) {
	t.Chdir("testdata")
	for name, test := range map[string]struct {
		args string
		want string
	}{
		"no file":             {"-k 4", "want one FILE or NODE, got 0"},
		"two files":           {"a b -k 4", "want one FILE or NODE, got 2"},
		"no size":             {"dgx1-v100.txt", "-k is missing or 0; say how many devices the pod asks for, as in -k 4"},
		"negative size":       {"dgx1-v100.txt -k -1", "-k must be at least 1, got -1"},
		"size in words":       {"dgx1-v100.txt -k four", `invalid argument "four" for "-k, --count" flag`},
		"unknown output":      {"dgx1-v100.txt -k 4 -o yaml", `--output must be text or json, got "yaml"`},
		"unknown link":        {"dgx1-v100.txt -k 4 --link nvswitch", `--link must be any, numa, pcie or nvlink, got "nvswitch"`},
		"unknown picker":      {"dgx1-v100.txt -k 4 --picker kubelet", `--picker must be scheduler or device-plugin, got "kubelet"`},
		"unknown product":     {"dgx1-v100.txt -k 4 --gpu Voodoo2", `--gpu: the rates of "Voodoo2" are not known; it may be a name such as H100, A100, V100, MI300X or L40S`},
		"no such device":      {"dgx1-v100.txt -k 4 --free 0,8", "--free: there is no device 8; dgx1-v100.txt has 0,1,2,3,4,5,6,7"},
		"a gap in numbers":    {"smi-nics.txt -k 2 --free 3,4", "--free: there is no device 3; smi-nics.txt has 0,1,2,4"},
		"device twice":        {"dgx1-v100.txt -k 2 --free 3,1,3", "--free: device 3 is there twice; dgx1-v100.txt has 0,1,"},
		"device in words":     {"dgx1-v100.txt -k 2 --free GPU3", `--free: "GPU3" is no number of a device; dgx1-v100.txt has 0,1,`},
		"no such file":        {"flags.golden.yaml -k 2", `"flags.golden.yaml" is no file, and it cannot be read as the NodeTopology of a node without a cluster: no kubeconfig; give a file that exists, or --kubeconfig`},
		"a file of no node":   {"../x/y.txt -k 2", `"../x/y.txt" is no file, and a node cannot have such a name; give a file with the output of nvidia-smi topo -m, - for standard input, or the name of a node`},
		"not a matrix":        {"node.yaml -k 2", `reading "node.yaml", which should be the output of nvidia-smi topo -m: there is no line that begins with the columns GPU0, GPU1`},
		"nothing on stdin":    {"- -k 2", `reading "standard input", which should be the output of nvidia-smi topo -m: there is no line`},
		"a directory":         {"../testdata -k 2", `"../testdata" is no file`},
		"a flag there is not": {"dgx1-v100.txt -k 2 --gpus H100", "unknown flag: --gpus"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, log := berthctl(t, noCluster, "", append([]string{"topo"}, strings.Fields(test.args)...)...)
			if status != statusFailed || out != "" || !strings.Contains(log, test.want) {
				t.Errorf("status %d, output %q, log %q; want status %d, no output, a log that says %q", status, out, log, statusFailed, test.want)
			}
		})
	}
}

func TestStandardInput(t *testing.T) {
	for file := range fixtures(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ := berthctl(t, noCluster, "", "topo", file, "-k", "3")
		status, got, log := berthctl(t, noCluster, string(text), "topo", "-", "-k", "3")
		if diff := cmp.Diff(strings.Replace(want, file, "standard input", 1), got); status != statusAnswer || diff != "" {
			t.Errorf("%s as standard input: status %d, log %q (-want +got):\n%s", file, status, log, diff)
		}
	}
}

// TestJSON checks what the goldens show but do not say: the keys and their order, and
// that the figures are those of the core.
func TestJSON(t *testing.T) {
	for file, table := range fixtures(t) {
		class := topology.NewClass(table.Matrix, topology.Scheduler, topology.DefaultSizes())
		for k := 1; k <= table.Devices; k++ {
			_, out, _ := berthctl(t, noCluster, "", "topo", file, "-k", strconv.Itoa(k), "-o", "json")
			var got report
			// What has a MarshalJSON alone is not read back.
			if err := json.Unmarshal([]byte(strings.Replace(out, `"left"`, `"-"`, 1)), &got); err != nil {
				t.Fatalf("%s -k %d: %v in %s", file, k, err, out)
			}
			at := -1
			for _, key := range []string{"k", "free", "best", "quality", "ideal", "ratio", "left"} {
				next := strings.Index(out, `"`+key+`":`)
				if next <= at {
					t.Errorf("%s -k %d: key %q is missing or out of order in %s", file, k, key, out)
				}
				at = next
			}
			choice, _ := class.Choose(topology.AnyLink, k, topology.All(table.Devices))
			want := got
			want.K, want.Free, want.Best = k, table.Numbers, nil
			for d := range choice.Set.Each() {
				want.Best = append(want.Best, table.Numbers[d])
			}
			want.Quality, want.Ideal, want.Ratio = float64(choice.Quality)/1000, float64(class.Ideal(k))/1000, 1
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s -k %d (-want +got):\n%s", file, k, diff)
			}
		}
	}
}

func TestWidth(t *testing.T) {
	for file, table := range fixtures(t) {
		if table.Devices > 8 {
			continue
		}
		for k := 1; k <= table.Devices+1; k++ {
			for _, link := range []string{"any", "nvlink"} {
				_, out, _ := berthctl(t, noCluster, "", "topo", file, "-k", strconv.Itoa(k), "--link", link, "--gpu", "H100")
				for line := range strings.Lines(out) {
					if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > columns {
						t.Errorf("%s -k %d --link %s: %d columns in %q", file, k, link, width, line)
					}
				}
			}
		}
	}
}

func TestColours(t *testing.T) {
	t.Chdir("testdata")
	text, err := os.ReadFile("dgx1-v100.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseMachine("dgx1-v100.txt", string(text))
	if err != nil {
		t.Fatal(err)
	}
	q := query{k: 5, picker: topology.DevicePlugin, free: m.available &^ 1}
	var inColour, bare bytes.Buffer
	if err := writePicture(&inColour, coloured, m, q, choose(m, q)); err != nil {
		t.Fatal(err)
	}
	golden(t, "colours.golden", strings.ReplaceAll(inColour.String(), "\x1b", "ESC"))
	// The same columns, with and without.
	if err := writePicture(&bare, plain, m, q, choose(m, q)); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(inColour.String(), "\n"), strings.Count(bare.String(), "\n"); got != want {
		t.Errorf("%d lines with colours, %d without", got, want)
	}
}

func TestStyleOf(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if got := styleOf(&bytes.Buffer{}); got != plain {
		t.Error("colours into a buffer")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := styleOf(file); got != plain {
		t.Error("colours into a file")
	}
}

func TestProductExamples(t *testing.T) {
	for product := range strings.SplitSeq(strings.ReplaceAll(productExamples, " or ", ", "), ", ") {
		if _, known := topology.RatesOf(product); !known {
			t.Errorf("%q is an example of --gpu, and not known", product)
		}
	}
}

// TestHelp holds what the help must teach.
func TestHelp(t *testing.T) {
	_, out, _ := berthctl(t, noCluster, "", "topo", "--help")
	for _, want := range []string{
		"ring bandwidth", "nvidia-smi topo -m | berthctl topo - -k 4",
		"25 GB/s an NVLink, 12 PCIe, 10 between sockets", "--kubeconfig", "device-plugin",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the help does not say %q", want)
		}
	}
}
