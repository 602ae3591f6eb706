package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/berth-dev/berth/manifests"
)

// rightsAtOnce is how many rights are asked for at once.
const rightsAtOnce = 16

// rights asks whether the scheduler's account has each right that manifests/base gives.
func (in inspected) rights(ctx context.Context) finding {
	const check = "rights"
	needed, err := in.neededRights()
	if err != nil {
		return unseen(check, err, "")
	}
	user := fmt.Sprintf("system:serviceaccount:%s:%s", in.namespace, in.account)
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + in.namespace, "system:authenticated"}
	var mu sync.Mutex
	var missing []string
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(rightsAtOnce)
	for _, right := range needed {
		group.Go(func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, Groups: groups, ResourceAttributes: &right}}
			answer, err := in.kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err == nil && !answer.Status.Allowed {
				mu.Lock()
				defer mu.Unlock()
				missing = append(missing, rightText(right))
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return unseen(check, err, "ask as who may create subjectaccessreviews")
	}
	if len(missing) > 0 {
		return finding{check, standingFail, fmt.Sprintf("%s lacks %d of %d rights: %s", user, len(missing), len(needed), named(missing)),
			"apply manifests/base of this version again, or upgrade the chart; --scheduler-namespace and --service-account name another account"}
	}
	return finding{check, standingOK, fmt.Sprintf("%s has all %d rights of manifests/base", user, len(needed)), ""}
}

// neededRights are the rights that manifests/base gives the scheduler, one for each verb and
// resource.
func (in inspected) neededRights() ([]authorizationv1.ResourceAttributes, error) {
	objects, err := manifests.Base()
	if err != nil {
		return nil, err
	}
	var out []authorizationv1.ResourceAttributes
	for _, object := range objects {
		var rules []rbacv1.PolicyRule
		namespace := ""
		switch object.GetKind() + "/" + object.GetName() {
		case "ClusterRole/berth":
			role := &rbacv1.ClusterRole{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role); err != nil {
				return nil, fmt.Errorf("reading ClusterRole %q of manifests/base: %w", object.GetName(), err)
			}
			rules = role.Rules
		case "Role/berth-leader-election":
			role := &rbacv1.Role{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role); err != nil {
				return nil, fmt.Errorf("reading Role %q of manifests/base: %w", object.GetName(), err)
			}
			rules, namespace = role.Rules, in.leaseNamespace
		}
		for _, rule := range rules {
			out = append(out, in.expand(rule, namespace)...)
		}
	}
	return out, nil
}

// expand returns the rights of a rule. The one rule that names an object names the Lease.
func (in inspected) expand(rule rbacv1.PolicyRule, namespace string) []authorizationv1.ResourceAttributes {
	var out []authorizationv1.ResourceAttributes
	name := ""
	if len(rule.ResourceNames) > 0 {
		name = in.lease
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			resource, subresource, _ := strings.Cut(resource, "/") // as in pods/status
			for _, verb := range rule.Verbs {
				out = append(out, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource, Name: name})
			}
		}
	}
	return out
}

// rightText writes a right as kubectl auth can-i takes it.
func rightText(right authorizationv1.ResourceAttributes) string {
	text := right.Verb + " " + right.Resource
	if right.Group != "" {
		text += "." + right.Group
	}
	if right.Subresource != "" {
		text += "/" + right.Subresource
	}
	if right.Name != "" {
		text += "/" + right.Name
	}
	if right.Namespace != "" {
		text += " in " + right.Namespace
	}
	return text
}
