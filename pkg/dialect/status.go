package dialect

import (
	"encoding/json"
	"maps"
	"reflect"
	"time"
)

// patch collects the fields of a status that change.
type patch map[string]any

// text sets a field to a string if it is not that already.
func (p patch) text(status node, name, want string) {
	if have, ok := status.value(name).(string); !ok || have != want {
		p[name] = want
	}
}

// count sets a field to a number if it is not that already; absent is 0.
func (p patch) count(status node, name string, want int32) {
	if have := status.integer(name); have == nil && want != 0 || have != nil && *have != int64(want) {
		p[name] = want
	}
}

// list sets a field to a list of conditions if it changed.
func (p patch) list(name string, list *conditions) {
	if list.changed {
		p[name] = list.entries
	}
}

// body is the merge patch; nil if nothing changes. Keys are sorted.
func (p patch) body() []byte {
	if len(p) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"status": p})
	if err != nil {
		return nil // an entry that holds what JSON cannot: no server sent it
	}
	return body
}

// condition is an entry of a list of conditions, or some of its fields.
type condition map[string]any

// conditions is the whole list of conditions of an object, in the object's order: a
// merge patch replaces a list as a whole, and the entries of others must stay.
type conditions struct {
	entries []any
	changed bool
}

// conditions copies a list of conditions; it is empty if the field is no list.
func (n node) conditions(name string) *conditions {
	have, _ := n.value(name).([]any)
	list := &conditions{entries: make([]any, len(have))}
	copy(list.entries, have)
	return list
}

// find returns the place of the entry that has the fields of key, or -1.
func (l *conditions) find(key condition) int {
	for i, e := range l.entries {
		entry, ok := e.(map[string]any)
		for name, want := range key {
			ok = ok && reflect.DeepEqual(entry[name], want)
		}
		if ok {
			return i
		}
	}
	return -1
}

// set gives the entry of key the fields of said, and makes it if there is none. Its
// lastTransitionTime is now if its status changes.
func (l *conditions) set(key, said condition, now time.Time) {
	i := l.find(key)
	entry := map[string]any{}
	if i >= 0 {
		maps.Copy(entry, l.entries[i].(map[string]any))
	}
	if entry["status"] != said["status"] {
		entry["lastTransitionTime"] = now.UTC().Format(time.RFC3339)
	}
	maps.Copy(entry, key)
	maps.Copy(entry, said)
	switch {
	case i < 0:
		l.entries = append(l.entries, entry)
	case reflect.DeepEqual(l.entries[i], any(entry)):
		return
	default:
		l.entries[i] = entry
	}
	l.changed = true
}

// lower sets the entry of key to "False" if there is one.
func (l *conditions) lower(key condition, now time.Time) {
	if l.find(key) >= 0 {
		l.set(key, condition{"status": "False"}, now)
	}
}

// remove takes the entry of key out.
func (l *conditions) remove(key condition) {
	if i := l.find(key); i >= 0 {
		l.entries = append(l.entries[:i], l.entries[i+1:]...)
		l.changed = true
	}
}
