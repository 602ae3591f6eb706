// Package workload reads what decisions need to know of a pod from the pod alone.
//
// A workload is a gang or a plain pod. [IDOf] identifies the workload of a pod, [NameOf] names it in a
// queue, and [Called] is what a user calls it. [Member] translates a pod to a member of a gang.
// [Ranks] returns the ranks of a gang's members. [RequestsAlike] reports whether two versions of a pod
// request the same. [PlainRequests] returns the requests of a pod that has none at the level of the
// pod.
package workload
