package localcluster

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// defaultServiceAccount is the one that pods run as unless they name another.
const defaultServiceAccount = "default"

// giveServiceAccounts gives each namespace its default service account, until
// ctx ends. ServiceAccount admission waits a second or two for it, so a pod
// may be created right after its namespace. It returns once the namespace
// "default" has been served.
func giveServiceAccounts(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err := factory.Core().V1().Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			// A namespace that is deleted at once refuses; nothing is lost.
			_ = giveServiceAccount(ctx, client, obj.(*v1.Namespace).Name)
		},
	})
	if err != nil {
		return fmt.Errorf("watching namespaces: %w", err)
	}
	factory.Start(ctx.Done())
	if err := giveServiceAccount(ctx, client, metav1.NamespaceDefault); err != nil {
		return fmt.Errorf("creating the default service account of %q: %w", metav1.NamespaceDefault, err)
	}
	return nil
}

// giveServiceAccount creates the default service account of a namespace,
// unless it exists. It tries again while the namespace or the API server
// cannot take it yet.
func giveServiceAccount(ctx context.Context, client kubernetes.Interface, namespace string) error {
	account := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: defaultServiceAccount}}
	var err error
	for range 20 {
		_, err = client.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{})
		if err == nil || apierrors.IsAlreadyExists(err) {
			return nil
		}
		if apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return err
}
