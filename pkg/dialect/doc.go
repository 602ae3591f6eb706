// Package dialect decides which gang a pod belongs to, and which gangs an object
// declares, in each of the vocabularies that users of gang schedulers already
// write. It turns Kubernetes objects into the values of package gang and holds no
// state: same object, same answer.
//
//	Of(pod)             -> Membership: the pod's gang, its size, topology, queue, rank
//	DeclaredBy(pod)     -> []Declared: the gangs that a pod declares for other pods
//	Queue(labels, ann.) -> the queue that an object names
//	Kinds()             -> the foreign kinds; Kind.Declare(object) -> []Declared,
//	                       Kind.Status(object, outcome) -> merge patch
//	Tiers(labelled)     -> the label keys of a cluster's tiers
//	Depart(pods, owners, rights) -> Departure: how pods leave so that they come again
//
// # Which dialect a pod speaks
//
// A label or annotation that names a gang is explicit, and beats what controllers
// write on every pod they make: Kueue, for one, puts its pod group label on the
// pods of a LeaderWorkerSet. In order:
//
//	explicit   native, berth, scheduler-plugins, kueue, kai, volcano, yunikorn,
//	           koordinator, coscheduling
//	derived    leaderworkerset, jobset, owner
//
// A pod that names gangs in two explicit dialects is [gang.Ambiguous]. It waits
// alone under a key of its own, which holds a "!", and blocks nobody else's gang.
// An older and a newer spelling of one dialect are one statement if their values
// are equal, and Ambiguous if they differ. The same holds for the older label of
// the Coscheduling plugin beside a scheduler-plugins label or Koordinator
// annotation.
//
// Volcano's controllers can be told to give every pod of a scheduler a PodGroup, of one
// member, and to name it in the pod. That is nobody's statement: such a pod is what else it
// says it is, explicit or derived, and a gang of that PodGroup only if it says nothing.
//
// A fault in what a pod says about its gang (a size that is no number) keeps the
// gang's key, so that the whole gang waits for the cure. A fault in which gang is
// meant (no name, a name no object can have) gets a key of its own.
//
// # How large a gang is
//
// The dialect's own annotation, else berth.dev/gang-size, which works in every
// dialect. Zero and negative sizes are handed on: package gang refuses them. What
// a group object says wins over its pods, which is package gang's rule.
//
//   - owner: berth.dev/gang-size on a pod without any name makes one gang of the
//     pods of its controller, whatever that is: key "job.batch/train",
//     "pytorchjob.kubeflow.org/bert". A Job without the annotation is no gang. All
//     versions of a Deployment are one gang, "deployment.apps/web", so that a rollout
//     goes on while the gang runs.
//   - jobset: each replicated job is a gang of its own, key "<jobset>/<job>",
//     of replicas x min(parallelism, completions) pods. A pod cannot see whether
//     its JobSet starts its jobs in order (startupPolicy InOrder, dependsOn), and
//     a gang over jobs that start one after the other never completes, while all
//     jobs of one replicated job exist at once, always. berth.dev/gang-size on a
//     template is the size of that replicated job's gang. For one gang over the
//     whole JobSet, name it on all templates: label berth.dev/gang.
//   - leaderworkerset: a group is a gang, key "<name>-<group index>", the name of
//     its leader. With startupPolicy LeaderReady the workers do not exist before
//     the leader runs: the LeaderWorkerSet then declares size 1.
//   - Exclusive placement (JobSet without its node selector strategy, and
//     LeaderWorkerSet) creates the other pods once the first is bound. Pods of
//     such a JobSet, and the leader of such a group, are plain pods; the workers
//     of such a group are a gang among themselves.
//   - yunikorn: a task group is a gang, key "<application>/<task group>", for a
//     Spark driver creates its executors only when it runs. A driver declares the
//     task group of its executors: see [DeclaredBy].
//   - koordinator: each gang stands for itself; the annotation that bundles gangs
//     into a group of gangs is not read.
//   - kueue: a group with fast admission (a StatefulSet) is admitted before its
//     pods exist, one after the other: it is no gang.
//   - kai: minMember, else the least sum over sub groups that satisfies every
//     minSubGroup. A least number of 0, here and in volcano, says that each member may
//     run by itself. Which sub group a member belongs to is its Role, not enforced.
//
// # Topology
//
// Levels are node label keys. Our own annotations also take a level's name, from
// one table; KAI's levels are looked up there first. Where no node has the key of a
// name, and nodes have the name itself as a label, package gangtable takes that; a word
// that is no name is a label key. Kueue, LeaderWorkerSet and
// JobSet name label keys. Koordinator's network-topology-spec names layers of another
// object and is not read. Constraints of KAI sub groups are not read. Nor is what Kueue's
// annotations ask for on the pods of a Workload that Kueue has admitted: it has pinned these.
//
// Volcano names a tier by number, in the field networkTopology.highestTierAllowed or in the
// annotation volcano.sh/network-topology-highest-tier: 1 is the nearest switch, 2 the one
// above it. Its HyperNodes, which number the switches, are not read. Here, tier n is the
// n-th level, nearest first, of the labels that nodes have: see [Tiers]. No pod or object
// says which labels these are, so the level of a tier is a word that no label key can be,
//
//	networkTopology.highestTierAllowed=n
//
// until package gangtable puts a key in its place. The mode hard, or none, requires the tier;
// soft prefers it, and the nearest if there is no number. A highestTierName is a level if
// it is a name in the table, else it is not asked for.
//
// # Ranks
//
// A rank orders the members of a gang; ranks may have gaps and ties, which the pod
// name breaks. In a JobSet it combines the index of the job and the index of the
// pod in it.
//
// # Departures
//
// Who is to give up a place should be able to come back. The top-most owner of the pods is
// suspended, if it is of a kind that can be ([Suspendables]), nobody else suspends it, as
// Kueue does, and Berth has the right to. Otherwise pods are evicted, and what their owners
// say decides whether they come again: an evicted pod of a Job is a failed one. Where an
// owner fails or starts again as a whole, its other gangs end too: Departure.Together.
// Executors of Spark are evicted, for their driver makes others and keeps what it has done; a
// driver is suspended with its SparkApplication.
//
// # Pods that come one after another
//
// An owner may make a pod only once an earlier one runs, or have fewer pods at a time than their
// gang's size. Then the gang waits for ever, and [SequenceOf] says why: a table of kinds, with
// what to change.
//
// # Files
//
// dialect.go (Of and the order of the dialects), kind.go (objects), queue.go,
// topology.go, levels.go and tier.go (the labels of networks), rank.go, object.go
// (fields of unknown type), status.go (merge patches), departure.go, jobeviction.go,
// volcanoeviction.go, spark.go and suspendable.go (how pods leave), sequence.go (how owners
// make them); then one file for each dialect.
package dialect
