package insight

import "time"

// Why says why a gang or plain pod waits, and what would change that.
type Why struct {
	Head
	Gang
	// Topology is what it asks of the network; nil for nothing.
	Topology *Topology `json:"topology,omitempty"`
	// Constraint is what decides now: that of the first of Blockers.
	Constraint Constraint `json:"constraint,omitempty"`
	// Line is its place in its queue; nil if it is in none.
	Line *Line `json:"line,omitempty"`
	// Blockers are what it waits for, in the order in which it passes them. It is placed
	// once each of them is gone.
	Blockers []Blocker `json:"blockers"`
	// Remarks are what was not looked at, and labels and annotations that are unknown.
	Remarks []string `json:"remarks,omitempty"`
}

// Topology is what a gang asks of the network, as node label keys.
type Topology struct {
	Required         string `json:"required,omitempty"`
	Preferred        string `json:"preferred,omitempty"`
	SegmentSize      int    `json:"segmentSize,omitempty"`
	SegmentsTopology string `json:"segmentTopology,omitempty"`
}

// Constraint is what keeps a gang from its place. The set is closed.
type Constraint string

// The constraints.
const (
	// Declaration: what its pods or its object say makes no gang, or not yet.
	Declaration Constraint = "declaration"
	// QueueAccess: its queue is not there, not open to it, or makes no sense.
	QueueAccess Constraint = "queue"
	// Quota: a limit of its queue, or of one around it.
	Quota Constraint = "quota"
	// Turn: others come before it.
	Turn Constraint = "turn"
	// Eviction: others leave for it, or are asked to.
	Eviction Constraint = "eviction"
	// Budget: disruption budgets protect those that would have to go.
	Budget Constraint = "budget"
	// Devices: too few are free.
	Devices Constraint = "devices"
	// Links: enough are free on nodes, and not linked as its pods ask.
	Links Constraint = "links"
	// CPU and Memory: there are devices, and not enough of it beside them.
	CPU    Constraint = "cpu"
	Memory Constraint = "memory"
	// TopologyLevel: there is room in the cluster, and not in one domain of the level.
	TopologyLevel Constraint = "topology"
	// Nodes: there is room on nodes that its pods may not use, for a taint, a cordon, a
	// selector, an affinity.
	Nodes Constraint = "nodes"
	// Kept: there is room that is kept for another.
	Kept Constraint = "kept"
	// Scheduler: it is being tried, or is tried soon; or a plugin holds it.
	Scheduler Constraint = "scheduler"
)

// Blocker is one thing that a gang waits for.
type Blocker struct {
	// Reason is the typed reason, as in the condition of its pods.
	Reason     string     `json:"reason"`
	Constraint Constraint `json:"constraint"`
	// Sentence says what is short and by how much.
	Sentence string `json:"sentence"`
	// Levels say which domain came closest, for each level in the order in which they are
	// tried.
	Levels []Level `json:"levels,omitempty"`
	// Unblocks are changes, each of which alone ends this blocker, the least first. If it is
	// empty, none is known; Hopeless says that nothing that could end or leave would help.
	Unblocks []Unblock `json:"unblocks"`
	Hopeless bool      `json:"hopeless,omitempty"`
}

// Level says which domain of a level came closest.
type Level struct {
	// Level is a node label key; empty for the whole cluster.
	Level string `json:"level"`
	// Closest is the path of the domain; empty for the whole cluster, or if there is none.
	Closest string `json:"closest"`
	// Needed is how many pods must have a place there, Fit for how many there is one.
	Needed int `json:"needed"`
	Fit    int `json:"fit"`
	// Short is what it is short of: devices, links, cpu, memory or nodes; Amount is how much
	// of it, if that can be counted.
	Short  Constraint `json:"short,omitempty"`
	Amount int64      `json:"amount,omitempty"`
	// Refusals are what nodes of the domain say for which its pods may not use them.
	Refusals []Refusal `json:"refusals,omitempty"`
	Sentence string    `json:"sentence"`
}

// Refusal is what some nodes say.
type Refusal struct {
	Text string `json:"text"`
	// Count is how many do, and Nodes the first of them by name.
	Count int      `json:"count"`
	Nodes []string `json:"nodes"`
}

// UnblockKind is a kind of change. The set is closed.
type UnblockKind string

// The kinds of changes.
const (
	// GangsEnd: gangs that run end or leave.
	GangsEnd UnblockKind = "GangsEnd"
	// NodesFree: so many nodes of a domain come free.
	NodesFree UnblockKind = "NodesFree"
	// NodesAdded: so many nodes are added to a domain.
	NodesAdded UnblockKind = "NodesAdded"
	// NodesOpen: nodes lose the taint or cordon that its pods do not tolerate.
	NodesOpen UnblockKind = "NodesOpen"
	// AskLess: its pods ask for less of a resource.
	AskLess UnblockKind = "AskLess"
	// FewerPods: it needs fewer pods.
	FewerPods UnblockKind = "FewerPods"
	// QuotaBack: so much comes back from a queue.
	QuotaBack UnblockKind = "QuotaBack"
	// LimitRaised: the limit of a queue is raised.
	LimitRaised UnblockKind = "LimitRaised"
	// TurnComes: those that come before it are placed, or leave.
	TurnComes UnblockKind = "TurnComes"
	// Edit: somebody corrects what its pods, its object or its queue say.
	Edit UnblockKind = "Edit"
	// Wait: what is under way comes to its end by itself.
	Wait UnblockKind = "Wait"
)

// Unblock is a change that ends a blocker. Which fields it has follows from its kind.
type Unblock struct {
	Kind UnblockKind `json:"kind"`
	// Sentence says what has to change, as in "2 nodes more in block-004/rack-0031".
	Sentence string `json:"sentence"`
	// Level and Domain are where, Count how many nodes or pods, and Nodes the names of those
	// that count.
	Level  string   `json:"level,omitempty"`
	Domain string   `json:"domain,omitempty"`
	Count  int      `json:"count,omitempty"`
	Nodes  []string `json:"nodes,omitempty"`
	// Resource and Amount are what has to come back, what a limit has to be, or what a pod
	// may ask for at most.
	Resource string `json:"resource,omitempty"`
	Amount   int64  `json:"amount,omitempty"`
	Queue    string `json:"queue,omitempty"`
	// Gangs are those that have to end; At is when the last of them does at the latest, if all
	// say so.
	Gangs []Ending   `json:"gangs,omitempty"`
	At    *time.Time `json:"at,omitempty"`
}

// Ending is a gang, or plain pod, whose end makes room.
type Ending struct {
	// Name is its namespace and name, with a slash between.
	Name  string     `json:"name"`
	Queue string     `json:"queue,omitempty"`
	Pods  int        `json:"pods"`
	Ends  *time.Time `json:"ends,omitempty"`
}

// Line is a gang's place in its queue.
type Line struct {
	Queue string `json:"queue"`
	// Path are the queues around it, widest first, and itself.
	Path []string `json:"path"`
	// Position is its place among those of its queue that wait, from 1, and Waiting how many
	// wait there.
	Position int `json:"position"`
	Waiting  int `json:"waiting"`
	// Ahead are the first of those that come before it in its queue.
	Ahead []Ahead `json:"ahead,omitempty"`
	// QueuePosition is the place of its queue among its siblings, from 1; 0 if it has none.
	QueuePosition int `json:"queuePosition"`
	// QueuesAhead are the siblings that are served before its queue.
	QueuesAhead []string `json:"queuesAhead,omitempty"`
}

// Ahead is one who comes before another.
type Ahead struct {
	Name     string           `json:"name"`
	Priority int32            `json:"priority"`
	Created  time.Time        `json:"created"`
	Asks     map[string]int64 `json:"asks,omitempty"`
}
