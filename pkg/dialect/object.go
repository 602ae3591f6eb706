package dialect

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berth-dev/berth/pkg/core/gang"
)

// reader reads the fields of an object whose types nobody has checked. It keeps the
// first fault and reads on; what cannot be read is absent.
type reader struct {
	// source names the object's kind and name its name, for texts.
	source, name string
	fault        *gang.Fault
}

func newReader(obj *unstructured.Unstructured, source string) *reader {
	return &reader{source: source, name: obj.GetName()}
}

// root is the object as a node.
func (r *reader) root(obj *unstructured.Unstructured) node {
	return node{reader: r, fields: obj.Object}
}

// claims reads what every kind says in its metadata. The queue that the object
// names in its spec comes after our own label and before the others.
func (r *reader) claims(obj *unstructured.Unstructured, specQueue string) gang.Claims {
	labels, annotations := obj.GetLabels(), obj.GetAnnotations()
	topology, fault := topologyOf(annotations)
	if fault != nil {
		r.blame("%s", fault.Text)
	}
	queue := labels[berthQueueLabel]
	if queue == "" {
		queue = specQueue
	}
	if queue == "" {
		queue = Queue(labels, annotations)
	}
	return gang.Claims{Topology: topology, Queue: queue, OnLoss: OnLoss(annotations)}
}

// declare declares the gang of the object's name in each dialect.
func (r *reader) declare(obj *unstructured.Unstructured, claims gang.Claims, dialects ...gang.Dialect) []Declared {
	if obj.GetName() == "" {
		return nil
	}
	declared := make([]Declared, 0, len(dialects))
	for _, d := range dialects {
		key := gang.Key{Namespace: obj.GetNamespace(), Dialect: d, Name: obj.GetName()}
		declared = append(declared, r.declared(key, claims))
	}
	return declared
}

// declared is one gang; of an object with a fault nothing is claimed.
func (r *reader) declared(key gang.Key, claims gang.Claims) Declared {
	if r.fault != nil {
		claims = gang.Claims{}
	}
	return Declared{Key: key, Declaration: gang.Declaration{Source: r.source, Claims: claims}, Fault: r.fault}
}

func (r *reader) blame(format string, args ...any) {
	if r.fault == nil {
		r.fault = malformed("%s %q: %s", r.source, clip(r.name), fmt.Sprintf(format, args...))
	}
}

// node is an object within an object. A node without fields has none of them.
type node struct {
	*reader
	at     string
	fields map[string]any
}

// value returns a field; nil if it is absent or null.
func (n node) value(name string) any { return n.fields[name] }

// blame says that a field is not what is expected.
func (n node) blame(name, expected string) {
	v := n.fields[name]
	n.reader.blame("%s is %s; expected %s", n.at+name, shown(v), expected)
}

// object reads a field that holds fields.
func (n node) object(name string) node {
	child := node{reader: n.reader, at: n.at + name + "."}
	switch v := n.fields[name].(type) {
	case nil:
	case map[string]any:
		child.fields = v
	default:
		n.blame(name, "an object")
	}
	return child
}

// list reads a field that holds a list of objects.
func (n node) list(name string) []node {
	switch v := n.fields[name].(type) {
	case nil:
		return nil
	case []any:
		nodes := make([]node, 0, len(v))
		for i, item := range v {
			at := fmt.Sprintf("%s%s[%d]", n.at, name, i)
			fields, ok := item.(map[string]any)
			if !ok {
				n.reader.blame("%s is %s; expected an object", at, shown(item))
				continue
			}
			nodes = append(nodes, node{reader: n.reader, at: at + ".", fields: fields})
		}
		return nodes
	}
	n.blame(name, "a list")
	return nil
}

// text reads a field that holds a string; "" if it is absent.
func (n node) text(name string) string {
	switch v := n.fields[name].(type) {
	case nil:
	case string:
		return v
	default:
		n.blame(name, "a string")
	}
	return ""
}

// texts reads a field that holds strings by name.
func (n node) texts(name string) map[string]string {
	child := n.object(name)
	texts := make(map[string]string, len(child.fields))
	for key := range child.fields {
		if s, ok := child.fields[key].(string); ok {
			texts[key] = s
		}
	}
	return texts
}

// strings reads a field that holds a list of strings.
func (n node) strings(name string) []string {
	list, ok := n.fields[name].([]any)
	if n.fields[name] != nil && !ok {
		n.blame(name, "a list")
	}
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// integer reads a field that holds a whole number; nil if it is absent.
func (n node) integer(name string) *int64 {
	switch v := n.fields[name].(type) {
	case nil:
		return nil
	case int64:
		return &v
	case int:
		i := int64(v)
		return &i
	case int32:
		i := int64(v)
		return &i
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			i := int64(v)
			return &i
		}
	}
	n.blame(name, "a whole number")
	return nil
}

// shown says what a value of an unexpected type or content is.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "absent"
	case string:
		return fmt.Sprintf("%q", clip(v))
	case bool, int, int32, int64, float64:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", v)
}
