package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxQueueResources is the most resources that a Queue has a quota of.
const MaxQueueResources = 16

// Queue is who pays for gangs and pods: what it is guaranteed, what it may have at most,
// and what part it gets of what its siblings leave idle. Pods name it with the label
// berth.dev/queue, or in the words of other schedulers.
//
// Where there is no Queue at all, all pods are in one that has no limits. The queue
// "default" always is: it takes pods that name none.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Parent",type=string,JSONPath=".spec.parent"
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=".status.pendingGangs",description="Gangs and plain pods that wait"
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=".status.runningGangs",description="Gangs and plain pods that have places",priority=1
// +kubebuilder:printcolumn:name="Refused",type=integer,JSONPath=".status.refusedGangs",description="Gangs and plain pods that name the queue and may not use it",priority=1
// +kubebuilder:printcolumn:name="Head",type=string,JSONPath=".status.head.gang",description="Who is next"
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=".status.head.reason",description="Why it waits"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.parent) || self.spec.parent != self.metadata.name",message="spec.parent: a queue cannot be its own parent"
type Queue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the queue is entitled to.
	// +optional
	Spec QueueSpec `json:"spec,omitempty"`
	// Status is what it uses, and who waits in it.
	// +optional
	Status QueueStatus `json:"status,omitempty"`
}

// QueueList is a list of Queues.
//
// +kubebuilder:object:root=true
type QueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Queue `json:"items"`
}

// QueueSpec is what a queue is entitled to.
type QueueSpec struct {
	// Parent is the queue that this one is a part of; none if it is missing. What is used
	// here counts there as well. The guarantees of the parts of a queue are at most its own.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Parent string `json:"parent,omitempty"`
	// Namespaces are those whose gangs may use the queue, by name. So may those that
	// NamespaceSelector selects. With neither, what the nearest queue around this one says
	// holds; and if none says anything, a queue that is guaranteed something, or is in one
	// that is, is open to namespaces alone whose own label berth.dev/queue names it, and any
	// other to all.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// NamespaceSelector selects namespaces whose gangs may use the queue by their labels. An
	// empty selector, {}, selects all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// Resources are the quotas. Of a resource that is not there nothing is guaranteed, and
	// nothing is limited.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Resources []QueueResource `json:"resources,omitempty"`
	// Order says who is served first, among the queues within this one and among the gangs
	// of this one. Fair: of queues, the one that has least in proportion to its weight; of
	// gangs, the one of highest priority, then the oldest. Priority: the highest priority,
	// of queues that of their next gang, then as with Fair. FIFO: the oldest.
	// +kubebuilder:default=Fair
	// +optional
	Order QueueOrder `json:"order,omitempty"`
	// Preemption says what may be taken from running gangs for those of this queue.
	// +kubebuilder:default={}
	// +optional
	Preemption QueuePreemption `json:"preemption,omitempty"`
	// Spares are nodes that are kept for pods that come in place of those that gangs of this
	// queue, or of one within it, have lost.
	// +listType=map
	// +listMapKey=level
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Spares []QueueSpares `json:"spares,omitempty"`
	// FairShareHalfLife has use in the past count when it is decided whose turn it is: what
	// was used so long ago counts half. Without it only what is used now counts.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="fairShareHalfLife must be from 1s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +optional
	FairShareHalfLife *metav1.Duration `json:"fairShareHalfLife,omitempty"`
}

// QueueSpares is how many nodes a queue has kept in each domain of a topology level.
type QueueSpares struct {
	// Level is the key of a label of nodes, such as topology.kubernetes.io/rack: the nodes that
	// have one value of it, and of the levels around it, are a domain. Nodes without it are in
	// none.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')",message="level must be the key of a label, such as topology.kubernetes.io/rack"
	// +required
	Level string `json:"level"`
	// Nodes is how many nodes of each domain are kept, of those that have devices and none of
	// them given out: the first by name. Nobody leaves for that, so where fewer are free, fewer
	// are kept until others are.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +required
	Nodes int32 `json:"nodes"`
}

// QueueResource is a queue's quota of one resource.
//
// +kubebuilder:validation:XValidation:rule="!has(self.guaranteed) || !has(self.limit) || quantity(string(self.limit)).compareTo(quantity(string(self.guaranteed))) >= 0",message="limit must be at least guaranteed"
type QueueResource struct {
	// Name is the name of the resource, such as nvidia.com/gpu, cpu or memory.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
	// Guaranteed is what the queue gets whenever it asks for it, if need be from those that
	// borrowed it. Missing is what the queues within it are guaranteed in sum, and none
	// without any.
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('0')) >= 0",message="guaranteed must be a quantity, and not negative"
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Guaranteed *resource.Quantity `json:"guaranteed,omitempty"`
	// Limit is what the queue has at most. Missing is no limit.
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('0')) >= 0",message="limit must be a quantity, and not negative"
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Limit *resource.Quantity `json:"limit,omitempty"`
	// Weight is the queue's part, beside its siblings, of what nobody is guaranteed or
	// nobody asks for. Missing is in proportion to what is guaranteed; with 0 it gets what
	// all others leave.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000000
	// +optional
	Weight *int64 `json:"weight,omitempty"`
}

// QueueOrder says who is served first.
//
// +kubebuilder:validation:Enum=Fair;Priority;FIFO
type QueueOrder string

// The orders.
const (
	OrderFair     QueueOrder = "Fair"
	OrderPriority QueueOrder = "Priority"
	OrderFIFO     QueueOrder = "FIFO"
)

// QueuePreemption says what may be taken from running gangs.
type QueuePreemption struct {
	// WithinQueue is for gangs of this queue that wait, from others of the same queue.
	// LowerPriority: from those of a lower priority. Never: from none.
	// +kubebuilder:validation:Enum=LowerPriority;Never
	// +kubebuilder:default=LowerPriority
	// +optional
	WithinQueue PreemptionPolicy `json:"withinQueue,omitempty"`
	// Reclaim is for gangs of this queue that wait and are within what it is guaranteed, or
	// within its fair share, from other queues that have more than theirs. Any: whatever
	// their priority. LowerPriority: from gangs of a lower priority alone. Never: from none.
	// +kubebuilder:validation:Enum=Any;LowerPriority;Never
	// +kubebuilder:default=Any
	// +optional
	Reclaim PreemptionPolicy `json:"reclaim,omitempty"`
	// MinRuntime is how long the gangs of this queue run, once started, before anything is
	// taken from them. Missing is no time.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="minRuntime must not be negative"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +optional
	MinRuntime *metav1.Duration `json:"minRuntime,omitempty"`
	// GraceBeforeReclaim is how long gangs of this queue that are to give up their places have
	// to save their work before they are evicted, if their pods ask to be told with the
	// annotation berth.dev/checkpoint-signal: "true". Whoever gets the places waits as long.
	// Missing is no time, and nobody is told.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('1h')",message="graceBeforeReclaim must be from 0s to 1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +optional
	GraceBeforeReclaim *metav1.Duration `json:"graceBeforeReclaim,omitempty"`
}

// PreemptionPolicy says from whom something may be taken.
type PreemptionPolicy string

// The policies.
const (
	PreemptAny           PreemptionPolicy = "Any"
	PreemptLowerPriority PreemptionPolicy = "LowerPriority"
	PreemptNever         PreemptionPolicy = "Never"
)

// QueueStatus is what a queue uses and who waits in it. It is written on change, and not
// more often than every few seconds.
type QueueStatus struct {
	// ObservedGeneration is the generation of the spec that the status is of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Resources are the amounts, those of queues within this one included.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Resources []QueueUsage `json:"resources,omitempty"`
	// PendingGangs are the gangs and plain pods that wait in this queue itself.
	// +optional
	PendingGangs int32 `json:"pendingGangs"`
	// RunningGangs are those that have places.
	// +optional
	RunningGangs int32 `json:"runningGangs"`
	// RefusedGangs are those that wait, name this queue and may not use it.
	// +optional
	RefusedGangs int32 `json:"refusedGangs,omitempty"`
	// Head is the next one; missing if none waits.
	// +optional
	Head *QueueHead `json:"head,omitempty"`
	// Conditions: Ready says whether the queue admits anything.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// QueueUsage is what a queue has of one resource.
type QueueUsage struct {
	// Name is the name of the resource.
	// +required
	Name string `json:"name"`
	// Used is what its running pods asked for.
	// +required
	Used resource.Quantity `json:"used"`
	// Share is what it is entitled to at this time, of what the cluster has, given what all
	// queues ask for.
	// +optional
	Share *resource.Quantity `json:"share,omitempty"`
}

// QueueHead is the gang or pod of a queue that is next.
type QueueHead struct {
	// Gang is its namespace and name.
	// +required
	Gang string `json:"gang"`
	// Position is the place of its queue among the siblings, in the order in which they are
	// served, from 1; missing if none of the queue may be served.
	// +optional
	Position int32 `json:"position,omitempty"`
	// Reason says in a word why it waits, Message in a sentence.
	// +optional
	Reason string `json:"reason,omitempty"`
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// ReasonAdmits is the reason of ConditionReady on a Queue that admits gangs. Those of one
// that does not name its fault, or that of a queue around it: QueueParentNotFound,
// QueueCycle, QueueLimitBelowGuaranteed, QueueOverGuaranteed, QueueAmountNegative,
// QueueSelectorInvalid.
const ReasonAdmits = "Admits"
