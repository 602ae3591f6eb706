package docs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/client-go/kubernetes/scheme"
	schedulerconfig "k8s.io/kube-scheduler/config/v1"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/berth-dev/berth/manifests"
	"github.com/berth-dev/berth/pkg/plugins/devicetopology"
	"github.com/berth-dev/berth/pkg/plugins/nodepacking"
)

// Every block of YAML is an object that an API server would take, as far as that can be known
// without one: fields that there are, with values of their types; for our own kinds all that
// their definitions say. A block without apiVersion is a part of a file, and has to be YAML.
func TestManifests(t *testing.T) {
	checker := newManifestChecker(t)
	objects := 0
	for _, page := range read(t) {
		for _, block := range page.Blocks() {
			if block.Language != "yaml" {
				continue
			}
			documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader([]byte(block.Text))))
			for {
				document, err := documents.Read()
				if errors.Is(err, io.EOF) {
					break
				}
				if err == nil {
					err = checker.check(document)
				}
				if err != nil {
					t.Errorf("%s: %v", block.At, err)
				}
				objects++
			}
		}
	}
	if objects < 10 {
		t.Errorf("only %d objects are in the pages", objects)
	}
}

// What the checker refuses, so that it is known to look.
func TestManifestsAreRefused(t *testing.T) {
	checker := newManifestChecker(t)
	for name, text := range map[string]string{
		"field that a pod has not":     "{apiVersion: v1, kind: Pod, spec: {container: []}}",
		"type of a field of a job":     "{apiVersion: batch/v1, kind: Job, spec: {parallelism: many}}",
		"field that a queue has not":   "{apiVersion: berth.dev/v1alpha1, kind: Queue, metadata: {name: a}, spec: {guaranteed: 3}}",
		"value that a queue has not":   "{apiVersion: berth.dev/v1alpha1, kind: Queue, metadata: {name: a}, spec: {order: Random}}",
		"rule of a queue":              "{apiVersion: berth.dev/v1alpha1, kind: Queue, metadata: {name: a}, spec: {resources: [{name: cpu, guaranteed: 4, limit: 2}]}}",
		"queue in itself":              "{apiVersion: berth.dev/v1alpha1, kind: Queue, metadata: {name: a}, spec: {parent: a}}",
		"argument of a plugin":         "{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, profiles: [{pluginConfig: [{name: NodePacking, args: {polisy: Pack}}]}]}",
		"field of a kustomization":     "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resource: [a]}",
		"kind that nothing knows":      "{apiVersion: example.com/v1, kind: Thing}",
		"key twice, in part of a file": "a: 1\na: 2\n",
	} {
		if checker.check([]byte(text)) == nil {
			t.Errorf("%s: it is not refused", name)
		}
	}
}

// ownKind is what the definition of one of our kinds says.
type ownKind struct {
	types      validation.SchemaValidator
	structural *structuralschema.Structural
	rules      *schemacel.Validator
}

// manifestChecker knows the kinds of Kubernetes, ours, and the files that Berth and kustomize read.
type manifestChecker struct {
	kinds, config runtime.Decoder
	own           map[schema.GroupVersionKind]ownKind
}

func newManifestChecker(t *testing.T) *manifestChecker {
	t.Helper()
	configs := runtime.NewScheme()
	if err := schedulerconfig.AddToScheme(configs); err != nil {
		t.Fatal(err)
	}
	strict := func(types *runtime.Scheme) runtime.Decoder {
		return serializer.NewCodecFactory(types, serializer.EnableStrict).UniversalDeserializer()
	}
	c := &manifestChecker{kinds: strict(scheme.Scheme), config: strict(configs), own: map[schema.GroupVersionKind]ownKind{}}
	definitions, err := manifests.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range definitions {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			var props apiextensions.JSONSchemaProps
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &props, nil); err != nil {
				t.Fatal(err)
			}
			kind := ownKind{}
			if kind.types, _, err = validation.NewSchemaValidator(&props); err != nil {
				t.Fatal(err)
			}
			if kind.structural, err = structuralschema.NewStructural(&props); err != nil {
				t.Fatal(err)
			}
			kind.rules = schemacel.NewValidator(kind.structural, true, celconfig.PerCallLimit)
			c.own[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = kind
		}
	}
	return c
}

func (c *manifestChecker) check(document []byte) error {
	object := map[string]any{}
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return err
	}
	u := unstructured.Unstructured{Object: object}
	kind := u.GroupVersionKind()
	switch own, isOwn := c.own[kind]; {
	case u.GetAPIVersion() == "":
		return nil
	case isOwn:
		return own.check(document)
	case kind.Group == "kustomize.config.k8s.io":
		return yaml.UnmarshalStrict(document, &kustomize.Kustomization{})
	case kind.Group == schedulerconfig.GroupName:
		return c.checkConfig(document)
	}
	_, _, err := c.kinds.Decode(document, nil, nil)
	return err
}

// checkConfig checks a scheduler's configuration with the arguments of plugins.
func (c *manifestChecker) checkConfig(document []byte) error {
	object, _, err := c.config.Decode(document, nil, nil)
	if err != nil {
		return err
	}
	config, ok := object.(*schedulerconfig.KubeSchedulerConfiguration)
	if !ok {
		return fmt.Errorf("got a %T", object)
	}
	for _, profile := range config.Profiles {
		for _, plugin := range profile.PluginConfig {
			switch plugin.Name {
			case nodepacking.Name:
				_, err = nodepacking.DecodeArgs(plugin.Args.Raw)
			case devicetopology.Name:
				_, err = devicetopology.DecodeArgs(plugin.Args.Raw)
			}
			if err != nil {
				return err
			}
		}
	}
	return config.DecodeNestedObjects(c.config)
}

// check does what an API server does with an object of the kind.
func (k ownKind) check(document []byte) error {
	data, err := yaml.YAMLToJSON(document)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		return err
	}
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	if unknown := pruning.PruneWithOptions(u.DeepCopy().Object, k.structural, true, options); len(unknown) > 0 {
		return fmt.Errorf("unknown fields %v", unknown)
	}
	faults := validation.ValidateCustomResource(nil, u.Object, k.types)
	if len(faults) == 0 { // rules are for values of the right types
		more, _ := k.rules.Validate(context.Background(), field.NewPath(""), k.structural, u.Object, nil, celconfig.RuntimeCELCostBudget)
		faults = append(faults, more...)
	}
	return faults.ToAggregate()
}
