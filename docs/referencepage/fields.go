package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
	"github.com/berth-dev/berth/pkg/plugins/nodepacking"
)

// writeArguments writes the arguments of Berth's plugins in a KubeSchedulerConfiguration.
func writeArguments(page *bytes.Buffer) error {
	page.WriteString("\n## Arguments of plugins\n\nThey are in `profiles[].pluginConfig` of the scheduler's configuration, with `apiVersion: berth.dev/v1alpha1`.\nUnknown fields are refused.\n")
	packing, err := nodepacking.DecodeArgs(nil)
	if err != nil {
		return err
	}
	devices, err := devicetopology.DecodeArgs(nil)
	if err != nil {
		return err
	}
	for _, plugin := range []struct {
		name, kind, folder string
		args               any
	}{
		{nodepacking.Name, nodepacking.Kind, "pkg/plugins/nodepacking", packing},
		{devicetopology.Name, devicetopology.Kind, "pkg/plugins/devicetopology", devices},
	} {
		comments, err := fieldComments(plugin.folder, "Args")
		if err != nil {
			return err
		}
		fmt.Fprintf(page, "\n### %s\n\n`kind: %s`\n\n| field | type | default | meaning |\n|---|---|---|---|\n", plugin.name, plugin.kind)
		value := reflect.Indirect(reflect.ValueOf(plugin.args))
		for i := range value.NumField() {
			f := value.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			byDefault, err := json.Marshal(value.Field(i).Interface())
			if err != nil {
				return err
			}
			if comments[f.Name] == "" {
				return fmt.Errorf("%s: %s has no comment", plugin.folder, f.Name)
			}
			fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", name, typeOf(f.Type), code(strings.Trim(string(byDefault), `"`)), cell(comments[f.Name]))
		}
	}
	return nil
}

func typeOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + typeOf(t.Elem())
	case reflect.Map:
		return "map of " + typeOf(t.Key()) + " to " + typeOf(t.Elem())
	case reflect.Struct:
		return "object"
	case reflect.Int32, reflect.Int64, reflect.Int:
		return "integer"
	}
	return t.Kind().String()
}

// writeKinds writes the fields of Berth's own kinds.
func writeKinds(page *bytes.Buffer) error {
	definitions, err := manifests.CRDs()
	if err != nil {
		return err
	}
	page.WriteString("\n## Kinds\n\n`kubectl explain queue.spec` shows the same on a cluster.\n")
	for _, u := range definitions {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &crd); err != nil {
			return err
		}
		for _, version := range crd.Spec.Versions {
			schema := version.Schema.OpenAPIV3Schema
			fmt.Fprintf(page, "\n### %s\n\n`%s/%s`, scope %s. %s\n\n| field | type | default | meaning |\n|---|---|---|---|\n",
				crd.Spec.Names.Kind, crd.Spec.Group, version.Name, crd.Spec.Scope, strings.ReplaceAll(schema.Description, "\n", " "))
			for _, part := range []string{"spec", "status"} {
				if below, ok := schema.Properties[part]; ok {
					writeProperties(page, part, below)
				}
			}
		}
	}
	return nil
}

// writeProperties writes a row for each field below a field. Conditions, and selectors of labels,
// are those of all of Kubernetes.
func writeProperties(page *bytes.Buffer, path string, schema apiextensionsv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		p := schema.Properties[name]
		at := path + "." + name
		byDefault := ""
		if p.Default != nil {
			byDefault = strings.Trim(string(p.Default.Raw), `"`)
		}
		meaning := p.Description
		if slices.Contains(schema.Required, name) {
			meaning += " Required."
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", at, schemaType(p), code(byDefault), cell(meaning))
		switch {
		case name == "conditions" || name == "namespaceSelector":
		case p.Items != nil && p.Items.Schema != nil:
			writeProperties(page, at+"[]", *p.Items.Schema)
		default:
			writeProperties(page, at, p)
		}
	}
}

func schemaType(p apiextensionsv1.JSONSchemaProps) string {
	switch {
	case p.XIntOrString:
		return "quantity"
	case len(p.Enum) > 0:
		var values []string
		for _, v := range p.Enum {
			values = append(values, code(strings.Trim(string(v.Raw), `"`)))
		}
		return strings.Join(values, ", ")
	case p.Type == "array" && p.Items != nil && p.Items.Schema != nil:
		return "list of " + schemaType(*p.Items.Schema)
	case p.Type == "object" && p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil:
		return "map of string to " + schemaType(*p.AdditionalProperties.Schema)
	case p.Format == "date-time":
		return "time"
	case slices.ContainsFunc(p.XValidations, func(r apiextensionsv1.ValidationRule) bool { return strings.HasPrefix(r.Rule, "duration(self)") }):
		return "duration"
	}
	return p.Type
}
