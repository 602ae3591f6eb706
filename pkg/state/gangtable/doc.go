// Package gangtable holds every gang of the cluster: its members, the object that declares it, and
// the verdict of gang.Resolve over both.
//
// Changes come to a [Table] from informers and are settled by one worker, so a burst of pods
// costs a few verdicts and not one a pod. What follows from a verdict is told to a [Sink]: a gang
// that is admitted is published as a pod group, one that is held is withdrawn.
//
// Files: table.go (what is kept), declared.go (what objects declare), settle.go (from a change to
// a verdict), view.go (reading), podgroup.go (groups to native pod groups), levels.go (which
// topology levels there are), tiers.go (which of them a tier is), announced.go (gangs whose pods
// are made once they are admitted), health.go (which nodes are lost), losses.go (which gangs lack
// members that they had), refusals.go (which nodes a gang avoids because their kubelet refused a
// pod of it).
package gangtable
