package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"

	"github.com/berth-dev/berth/pkg/insight"
)

// asksScheduler is the part of the help that all commands share that ask a scheduler.
const asksScheduler = `The scheduler is asked itself, as whoever the kubeconfig says. Without --server, its
leader is found by the Lease that it holds and reached through the API server, as by
kubectl port-forward. Who asks needs the ClusterRole berth-viewer.`

func newWhyCommand() *cobra.Command {
	var at reach
	var as showing
	cmd := &cobra.Command{
		Use:   "why NAME | KIND/NAME",
		Short: "Say why a gang, pod or job waits, and what would change that",
		Long: `why says why something waits: what is short and by how much, which domain of each
level came closest, its place in its queue and who is ahead, and what would unblock
it: which gangs have to end, how many nodes of which rack have to come free, how much
has to come back from which queue.

NAME is a gang, a pod of it, a plain pod, or whatever made the pods: a Job, JobSet,
RayJob, RayCluster, TrainJob, LeaderWorkerSet ... With several gangs, each is told.

` + asksScheduler + `

What is said of room was tried: with the change that is named, the plan has a place
for the gang. Affinity between pods, volumes, ports and claims are not looked at, and a
remark says so where a pod has them.

Status: 0 if there is an answer, 1 if there is nobody of the name, 2 if it could not
look. With -o json it is the answer of /berth/v1/why (go doc ./pkg/insight Why).`,
		Example: `  # a gang, a pod, a job
  berthctl why train
  berthctl why train-0
  berthctl why rayjob/finetune -n team-a

  # until it is placed
  berthctl why train -w

  # what would help, for a script
  berthctl why train -o json | jq -r '.blockers[].unblocks[].sentence'

  # on the local cluster, where the scheduler is no pod
  berthctl why train --server https://127.0.0.1:10259 --insecure-skip-tls-verify`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("want one NAME or KIND/NAME, got %d; as in berthctl why train", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return as.ask(cmd, &at, func(s *scheduler) error {
				return why(cmd.Context(), s, args[0], as, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().SortFlags = false
	as.addFlags(cmd.Flags())
	at.addFlags(cmd.Flags())
	return cmd
}

// why asks why something waits, and shows it.
func why(ctx context.Context, s *scheduler, arg string, as showing, out io.Writer) error {
	kind, name, has := strings.Cut(arg, "/")
	if !has {
		kind, name = "", arg
	}
	ask := func(name string) (*insight.Why, error) {
		answer := &insight.Why{}
		return answer, s.get(ctx, insight.WhyPath, url.Values{"namespace": {s.namespace}, "name": {name}}, answer)
	}
	var answers []*insight.Why
	answer, err := ask(name)
	plain := kind == "" || strings.EqualFold(kind, "gang") || strings.EqualFold(strings.TrimSuffix(kind, "s"), "pod")
	switch {
	case err == nil && plain:
		answers = append(answers, answer)
	case err != nil && !errors.Is(err, errNotThere) && !strings.Contains(err.Error(), "stands for"):
		return err
	default:
		pods, found := ownedBy(ctx, s, kind, name)
		if apierrors.IsForbidden(found) && errors.Is(err, errNotThere) {
			// Whoever may not list pods asks by the names of gangs and pods.
			err = fmt.Errorf("%w; what made the pods of a gang is not looked for, as you may not list the pods of namespace %q", err, s.namespace)
		} else if found != nil {
			return found
		}
		seen := map[string]bool{}
		for _, pod := range pods {
			one, err := ask(pod)
			if errors.Is(err, errNotThere) {
				continue
			}
			if err != nil {
				return err
			}
			if !seen[one.Name] {
				seen[one.Name] = true
				answers = append(answers, one)
			}
		}
	}
	if len(answers) == 0 {
		if err == nil {
			err = notThere{fmt.Sprintf("namespace %q has no %s %q whose pods Berth places", s.namespace, kind, name)}
		}
		fmt.Fprintln(out, err)
		return errNone
	}
	look := styleOf(out)
	for i, one := range answers {
		if i > 0 && as.output != outputJSON {
			fmt.Fprintln(out)
		}
		if err := as.print(out, one, func(text *strings.Builder) { writeWhy(text, look, one, as.wide()) }); err != nil {
			return err
		}
	}
	return nil
}

// mostOwners is how far up owners are followed.
const mostOwners = 5

// ownedBy returns the names of the pods that an object of a name has made, by way of others
// or itself: one pod of each controller that is its child.
func ownedBy(ctx context.Context, s *scheduler, kind, name string) ([]string, error) {
	client, err := metadata.NewForConfig(s.config)
	if err != nil {
		return nil, err
	}
	found, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	list, err := client.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("who made which pods is in their owner references, and listing the pods of namespace %q failed: %w", s.namespace, err)
	}
	// Which controllers of pods come from the object, by UID.
	from := map[types.UID]bool{}
	var out []string
	for i := range list.Items {
		owner := metav1.GetControllerOfNoCopy(&list.Items[i])
		if owner == nil {
			continue
		}
		is, known := from[owner.UID]
		if !known {
			is = comesFrom(ctx, client, mapper, s.namespace, owner, kind, name)
			from[owner.UID] = is
		}
		if is {
			out = append(out, list.Items[i].Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// comesFrom reports whether an owner is the object of a kind and name, or was made by it.
// Owners that may not be read end the search: what they are made by is not known.
func comesFrom(ctx context.Context, client metadata.Interface, mapper *restmapper.DeferredDiscoveryRESTMapper, namespace string, owner *metav1.OwnerReference, kind, name string) bool {
	for range mostOwners {
		if owner == nil {
			return false
		}
		if owner.Name == name && (kind == "" || sameKind(owner.Kind, kind)) {
			return true
		}
		group, err := schema.ParseGroupVersion(owner.APIVersion)
		if err != nil {
			return false
		}
		mapping, err := mapper.RESTMapping(group.WithKind(owner.Kind).GroupKind(), group.Version)
		if err != nil {
			return false
		}
		object, err := client.Resource(mapping.Resource).Namespace(namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil || object.UID != owner.UID {
			return false
		}
		owner = metav1.GetControllerOfNoCopy(object)
	}
	return false
}

// sameKind reports whether a user means a kind: in any case, in the plural too.
func sameKind(kind, said string) bool {
	return strings.EqualFold(kind, said) || strings.EqualFold(kind+"s", said)
}
