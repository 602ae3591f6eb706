package insight

import "time"

// Version is the version of the JSON, and part of each path.
const Version = "v1"

// Head is what each answer begins with.
type Head struct {
	// Version is that of the JSON, Time the moment of which it tells.
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
}

// Failure is the body of an answer that is none.
type Failure struct {
	// Error is a sentence that says what to do.
	Error string `json:"error"`
}

// The states of gangs and plain pods.
const (
	// Pending: fewer pods have a place than have to have one together.
	Pending = "Pending"
	// Placed: all that are needed have a place.
	Placed = "Placed"
)

// Pods counts the pods of a gang.
type Pods struct {
	// Needed is how many must have a place together, Total how many there are.
	Needed int `json:"needed"`
	Total  int `json:"total"`
	// Bound have a node, and Running run there; Waiting may be given one.
	Bound   int `json:"bound"`
	Running int `json:"running"`
	Waiting int `json:"waiting"`
}

// Gang is a gang, or a plain pod, which is a gang of one.
type Gang struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Pod says that it is a plain pod.
	Pod bool `json:"pod,omitempty"`
	// State is Pending or Placed.
	State string `json:"state"`
	Queue string `json:"queue,omitempty"`
	// Priority is that of its pods.
	Priority int32 `json:"priority"`
	Pods     Pods  `json:"pods"`
	// Asks is what all its pods ask for, by resource.
	Asks map[string]int64 `json:"asks,omitempty"`
	// Created is when its first pod was made.
	Created time.Time `json:"created"`
	// Reason and Sentence say why it waits; empty for one that is placed.
	Reason   string `json:"reason,omitempty"`
	Sentence string `json:"sentence,omitempty"`
	// Ends is when it ends at the latest, if its pods say for how long they may run.
	Ends *time.Time `json:"ends,omitempty"`
}

// Gangs are gangs and plain pods: those that wait first, then by namespace and name.
type Gangs struct {
	Head
	Gangs []Gang `json:"gangs"`
	// LeftOut is how many more there are than are in the list.
	LeftOut int `json:"leftOut,omitempty"`
}

// Queues is the tree of queues: parents before their children, siblings by name.
type Queues struct {
	Head
	Queues []Queue `json:"queues"`
}

// Queue is a queue with all within it.
type Queue struct {
	Name string `json:"name"`
	// Parent is the queue that it is in; empty at the top.
	Parent string `json:"parent,omitempty"`
	// Depth is how many queues it is in.
	Depth int `json:"depth"`
	// Fault says why it admits nothing; empty if it does.
	Fault     string          `json:"fault,omitempty"`
	Resources []QueueResource `json:"resources"`
	// Pending are the gangs of the queue itself that wait, Running those that have a place,
	// and Refused those that wait, name it and may not use it.
	Pending int `json:"pending"`
	Running int `json:"running"`
	Refused int `json:"refused,omitempty"`
	// Next is who is next; nil if none waits.
	Next *QueueNext `json:"next,omitempty"`
}

// QueueResource is what a queue has of a resource, and may have.
type QueueResource struct {
	Resource string `json:"resource"`
	// Used is what runs in it and all within it uses, Asked what those ask for that wait.
	Used  int64 `json:"used"`
	Asked int64 `json:"asked"`
	// Guaranteed is what it has whenever it asks, Limit what it never passes; nil for none.
	Guaranteed int64  `json:"guaranteed"`
	Limit      *int64 `json:"limit,omitempty"`
	// Share is its fair share now, Borrowed what it uses beyond its guarantee.
	Share    int64 `json:"share"`
	Borrowed int64 `json:"borrowed"`
}

// QueueNext is the gang of a queue that is next.
type QueueNext struct {
	Gang string `json:"gang"`
	// Position is the place of its queue among its siblings, from 1; 0 if none of the queue
	// may be admitted.
	Position int       `json:"position"`
	Reason   string    `json:"reason"`
	Sentence string    `json:"sentence"`
	Created  time.Time `json:"created"`
}

// The actions of events.
const (
	ActionPlaced   = "Placed"
	ActionHeld     = "Held"
	ActionRefused  = "Refused"
	ActionEvicted  = "Evicted"
	ActionReleased = "Released"
)

// Event is a decision.
type Event struct {
	// Seq numbers decisions of one leader, from 1.
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Action is what was done: placed; held before a try, or refused by one; evicted for
	// another; released, of a gang that was bound by half.
	Action    string `json:"action"`
	Namespace string `json:"namespace"`
	Gang      string `json:"gang"`
	Queue     string `json:"queue,omitempty"`
	// Pods is how many pods it is about; 0 if it is about all.
	Pods     int    `json:"pods,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Sentence string `json:"sentence"`
	// For is the gang for which another is evicted.
	For string `json:"for,omitempty"`
}

// Events are the last decisions, oldest first.
type Events struct {
	Head
	// Last is the number of the last decision: what the next request asks after.
	Last uint64 `json:"last"`
	// Missed says that some after the number that was asked for are not kept any more.
	Missed bool    `json:"missed,omitempty"`
	Events []Event `json:"events"`
}

// Top is how full the domains of a level are, by path.
type Top struct {
	Head
	// Level is the node label key, and Levels are those that nodes have.
	Level   string      `json:"level"`
	Levels  []string    `json:"levels"`
	Domains []TopDomain `json:"domains"`
}

// TopDomain is a domain.
type TopDomain struct {
	// Name is its path; empty for nodes that have no label of the level.
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
	// Closed are the nodes that are cordoned or not ready.
	Closed int `json:"closed,omitempty"`
	// Device is the resource that is counted; empty where there are none.
	Device  string `json:"device,omitempty"`
	Devices int64  `json:"devices"`
	Free    int64  `json:"free"`
	// Idle are the nodes all of whose devices are free, and that are open.
	Idle int `json:"idle"`
	// PerNode are its nodes by name, where they were asked for.
	PerNode []TopNode `json:"perNode,omitempty"`
}

// TopNode is a node.
type TopNode struct {
	Name    string `json:"name"`
	Devices int64  `json:"devices"`
	Free    int64  `json:"free"`
	Closed  bool   `json:"closed,omitempty"`
}
