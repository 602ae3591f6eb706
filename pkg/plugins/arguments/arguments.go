// Package arguments reads the arguments of Berth's plugins in a scheduler configuration:
// strictly, so that a word that is misspelt is an error and not a default.
package arguments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// APIVersion is that of all arguments.
const APIVersion = "berth.dev/v1alpha1"

// Decode reads the arguments of a plugin into a struct. No arguments leave it as it is.
func Decode(raw []byte, plugin string, into any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("reading the arguments of %s: %w", plugin, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the arguments of %s: more than one object", plugin)
	}
	return nil
}

// CheckType returns what is wrong with the version and kind of arguments, if they are
// given.
func CheckType(meta metav1.TypeMeta, kind string) error {
	var faults []error
	if meta.APIVersion != "" && meta.APIVersion != APIVersion {
		faults = append(faults, fmt.Errorf("apiVersion is %q; it must be %q", meta.APIVersion, APIVersion))
	}
	if meta.Kind != "" && meta.Kind != kind {
		faults = append(faults, fmt.Errorf("kind is %q; it must be %q", meta.Kind, kind))
	}
	return errors.Join(faults...)
}

// Raw returns the arguments as the framework hands them to whoever builds a plugin.
func Raw(obj runtime.Object, plugin string) ([]byte, error) {
	switch obj := obj.(type) {
	case nil:
		return nil, nil
	case *runtime.Unknown:
		if obj.ContentType != "" && obj.ContentType != runtime.ContentTypeJSON {
			return nil, fmt.Errorf("reading the arguments of %s: content type %q; it must be JSON", plugin, obj.ContentType)
		}
		return obj.Raw, nil
	default:
		return nil, fmt.Errorf("reading the arguments of %s: got %T", plugin, obj)
	}
}
