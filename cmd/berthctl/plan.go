package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/berth-dev/berth/pkg/core/cluster"
)

// planOptions are the flags of "plan".
type planOptions struct {
	files      []string
	output     string
	settings   settingsFlags
	connection connection
}

func newPlanCommand(dial dialer) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [-f CLUSTER.json] -f GANG.yaml",
		Short: "Show where a gang would go, or what every level was short of",
		Long: `plan shows where Berth would put a gang: in which rack or block, each pod on which
node, with which GPUs. If there is no place it says, level by level, which domain
came closest and what it was short of. It writes nothing anywhere.

CLUSTER.json is a file of berthctl snapshot. The same files always give the same
plan, to the byte. Without one, the cluster of the kubeconfig is looked at as it is
now; --policy and --picker are for that alone.

GANG.yaml is the gang, in any of the words that Berth reads: all its pods, as
documents or as a List, or one Pod or Job that stands for all of them. A Pod with
the annotation berth.dev/gang-size: "16" stands for 16, with ranks 0 to 15:

  apiVersion: v1
  kind: Pod
  metadata:
    name: train
    labels:
      berth.dev/gang: train
    annotations:
      berth.dev/gang-size: "16"
      berth.dev/required-topology: block
      berth.dev/preferred-topology: rack
  spec:
    schedulerName: berth
    containers:
    - name: worker
      image: train
      resources:
        limits: {nvidia.com/gpu: 8}

Pods that have a spec.nodeName run already, and keep the rest in their domain; those
that have ended are left out. Of what a pod says of nodes, tolerations count; other
fields, such as nodeSelector, are not in a snapshot, and a remark names them. A gang
that asks for no topology is planned over the whole cluster; the scheduler places its
pods one by one.

Status: 0 if there is a plan, 1 if there is none (the output says why), 2 if a flag
is wrong or something cannot be read. JSON is one line:

  {"feasible":true,"level":"topology.kubernetes.io/rack","domain":"block-001/rack-0002",
   "assignments":[{"pod":"train-0","rank":0,"node":"node-00017","devices":[0,1,..]},..],
   "score":{"left":12,"used":{"topology.kubernetes.io/rack":1,..}}}

  {"feasible":false,"level":"","domain":"","assignments":[],
   "reason":{"code":"NoRoom","text":"..","levels":[{"level":"topology.kubernetes.io/rack",
   "closest":"block-001/rack-0001","short":2,"of":"devices"},..]}}

level is a node label key, "" for the whole cluster, and devices are numbers of the
machine, none where GPUs are only counted. left are the GPUs that stay free in the
domain, used how many domains of each level the gang is in.`,
		Example: `  # a cluster that nobody has, and a gang
  berthctl snapshot --synthetic --nodes 64 --racks 4 --fill 70 -o cluster.json
  berthctl plan -f cluster.json -f gang.yaml

  # why does it wait? In the cluster, as it is now
  kubectl get pods -l berth.dev/gang=train -o yaml | berthctl plan -f -

  # the nodes, for a script
  berthctl plan -f cluster.json -f gang.yaml -o json | jq -r '.assignments[].node'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), dial, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().SortFlags = false
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.files, "file", "f", nil, "a snapshot or a gang, - for standard input; given once for each file")
	flags.StringVarP(&o.output, "output", "o", outputText, "text or json")
	o.settings.addFlags(flags)
	o.connection.addFlags(flags)
	return cmd
}

func (o planOptions) run(ctx context.Context, dial dialer, in io.Reader, out io.Writer) error {
	if o.output != outputText && o.output != outputJSON {
		return fmt.Errorf("--output must be %s or %s, got %q", outputText, outputJSON, o.output)
	}
	settings, err := o.settings.settings()
	if err != nil {
		return err
	}
	snapshot, g, err := o.read(in)
	if err != nil {
		return err
	}
	if snapshot == nil {
		asked := g.topology()
		for _, key := range []string{asked.Required, asked.Preferred, asked.SegmentLevel} {
			if key != "" {
				settings.Levels = append(settings.Levels, key)
			}
		}
		if snapshot, err = readCluster(ctx, dial, o.connection, settings); err != nil {
			return err
		}
	}
	d, err := decide(snapshot, g)
	if err != nil {
		return err
	}
	if o.output == outputJSON {
		err = writeDecision(out, d)
	} else {
		err = writeTable(out, g.name, d)
	}
	if err == nil && !d.Feasible {
		return errNone
	}
	return err
}

// read reads the files; the snapshot is nil if none of them is one.
func (o planOptions) read(in io.Reader) (*cluster.Snapshot, *gangInput, error) {
	var snapshot *cluster.Snapshot
	var text []byte
	found := false
	for _, file := range o.files {
		name, content, err := readFile(file, in)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case !isSnapshot(content):
			if found {
				text = append(text, "\n---\n"...)
			}
			text, found = append(text, content...), true
		case snapshot != nil:
			return nil, nil, fmt.Errorf("%s: there is a snapshot already; give one, and a gang", name)
		default:
			if snapshot, err = cluster.Read(bytes.NewReader(content)); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if !found {
		return nil, nil, errors.New("there is no gang; give -f with the pods of one, as in berthctl plan -f cluster.json -f gang.yaml")
	}
	g, err := readGang(text)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the gang: %w", err)
	}
	return snapshot, g, nil
}

// readFile reads a file, or standard input, and says how to call it.
func readFile(file string, in io.Reader) (string, []byte, error) {
	if file != "-" {
		content, err := os.ReadFile(file)
		return file, content, err
	}
	content, err := io.ReadAll(in)
	if err != nil {
		return "", nil, fmt.Errorf("reading standard input: %w", err)
	}
	return "standard input", content, nil
}

// isSnapshot tells a snapshot from a gang, which may be JSON as well but has a kind.
func isSnapshot(content []byte) bool {
	content = bytes.TrimSpace(content)
	if !bytes.HasPrefix(content, []byte("{")) {
		return false
	}
	var head struct {
		Kind string `json:"kind"`
	}
	err := json.Unmarshal(content, &head)
	return err != nil && !bytes.Contains(content, []byte(`"kind"`)) || err == nil && head.Kind == ""
}
