package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// key is a label or annotation of Berth's own.
type key struct {
	name string
	// what and on say where it stands: a label or annotation, on which objects.
	what, on string
	// form is the type of its value, and byDefault what holds without it.
	form, byDefault string
}

// keys are all of them. docs/tenants.md says what each changes, and a test that no other is read.
var keys = []key{
	{"berth.dev/gang", "label", "pod", "name of the gang in the namespace", "what other dialects say; else none, a plain pod"},
	{"berth.dev/gang-size", "annotation", "pod", "integer, at least 1", "what the group object or the dialect says"},
	{"berth.dev/queue", "label", "pod, group object, Namespace", "name of a Queue", "what other dialects say, then the namespace's label, then `default`"},
	{"berth.dev/rank", "annotation", "pod", "integer, at least 0", "the job's index labels, then the pods' names"},
	{"berth.dev/required-topology", "annotation", "pod, group object", "`region`, `zone`, `block`, `rack`, `host`, or a node label key", "none"},
	{"berth.dev/preferred-topology", "annotation", "pod, group object", "the same", "none"},
	{"berth.dev/segment-size", "annotation", "pod, group object", "integer, at least 1; with `berth.dev/segment-topology`", "none"},
	{"berth.dev/segment-topology", "annotation", "pod, group object", "as `berth.dev/required-topology`; with `berth.dev/segment-size`", "none"},
	{"berth.dev/gpu-link", "annotation", "pod", "`nvlink`, `pcie`, `numa`, `any`", "`any`"},
	{"berth.dev/on-loss", "annotation", "pod, group object", "`replace`, `restart`, `ignore`", "`replace`; `restart` for owners that make all pods anew"},
	{"berth.dev/checkpointed-at", "annotation", "pod", "time, RFC 3339", "the start of the pod"},
	{"berth.dev/checkpoint-signal", "annotation", "pod", "`\"true\"`", "the pod is not told"},
	{"berth.dev/checkpoint-requested-at", "annotation", "pod; written by Berth", "time, RFC 3339", "-"},
	{"berth.dev/devices", "annotation", "pod; written by Berth", "JSON: container to list of UUIDs", "-"},
	{"berth.dev/placement", "annotation", "pod; written by Berth", "JSON: rank, domains, ring bandwidth and ideal in GB/s", "-"},
	{"berth.dev/charged-queue", "annotation", "pod; written by Berth", "name of a Queue", "-"},
	{"berth.dev/suspended", "label", "owner; written by Berth", "`\"true\"`", "-"},
	{"berth.dev/suspended-for", "annotation", "owner; written by Berth", "name of the gang that got the place", "-"},
	{"berth.dev/spare", "label", "Node", "`\"true\"`", "not a spare"},
	{"berth.dev/boot-id", "annotation", "NodeTopology; written by the agent", "boot ID of the node", "-"},
	{"berth.dev/declared-by", "annotation", "in memory only", "-", "-"},
}

// writeKeys writes labels and annotations: Berth's own, and those of others that it reads.
func writeKeys(page *bytes.Buffer) error {
	tenants, err := os.ReadFile(filepath.Join(root, "docs/tenants.md"))
	if err != nil {
		return err
	}
	unlisted := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(berth\\.dev/[a-z-]+)`").FindAllStringSubmatch(string(tenants), -1) {
		unlisted[row[1]] = true
	}
	page.WriteString("\n## Labels and annotations\n\n[tenants.md](tenants.md) says what each changes, and who may set it.\n\n| key | is a | on | value | without it |\n|---|---|---|---|---|\n")
	for _, k := range keys {
		if !strings.Contains(string(tenants), "`"+k.name+"`") {
			return fmt.Errorf("%s is in keys.go, and docs/tenants.md does not have it", k.name)
		}
		delete(unlisted, k.name)
		fmt.Fprintf(page, "| `%s` | %s | %s | %s | %s |\n", k.name, k.what, k.on, cell(k.form), cell(k.byDefault))
	}
	if len(unlisted) > 0 {
		return fmt.Errorf("docs/tenants.md has %v, and keys.go does not say what values they have", slices.Sorted(maps.Keys(unlisted)))
	}
	page.WriteString("\nBerth reads these of others; [migration.md](migration.md) says what they mean to it:\n\n")
	parsed, err := files("pkg/dialect", false)
	if err != nil {
		return err
	}
	foreign := map[string]bool{}
	form := regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+/[A-Za-z0-9._-]+$`)
	for _, text := range literals(parsed) {
		if form.MatchString(text) && !strings.HasPrefix(text, "berth.dev/") && text != "ray.io/kuberay-operator" { // who manages an object
			foreign[text] = true
		}
	}
	for _, text := range slices.Sorted(maps.Keys(foreign)) {
		fmt.Fprintf(page, "- `%s`\n", text)
	}
	return nil
}

// literals are the values of the string constants of files.
func literals(parsed []*ast.File) (out []string) {
	for _, c := range constants(parsed) {
		out = append(out, c.value)
	}
	return out
}
