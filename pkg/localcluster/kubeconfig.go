package localcluster

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// AdminUser is the user of AdminConfig, Client and Kubeconfig. It may do
// anything.
const AdminUser = "berth-local-admin"

// adminGroup is the group that RBAC cannot refuse.
const adminGroup = "system:masters"

// adminKubeconfigFile is in the state directory.
const adminKubeconfigFile = "admin.kubeconfig"

// WriteAdminKubeconfig writes a kubeconfig for AdminUser to path.
func (c *Cluster) WriteAdminKubeconfig(path string) error {
	return c.WriteKubeconfig(path, AdminUser, adminGroup)
}

// WriteKubeconfig writes a kubeconfig to path that makes its holder user, in
// groups. RBAC decides what they may do.
func (c *Cluster) WriteKubeconfig(path, user string, groups ...string) error {
	certificate, key, err := c.authority.client(user, groups)
	if err != nil {
		return err
	}
	return c.writeKubeconfig(path, user, &clientcmdapi.AuthInfo{
		ClientCertificateData: certificate,
		ClientKeyData:         key,
	})
}

// ServiceAccountKubeconfig writes a kubeconfig into the state directory that
// makes its holder the service account, with a token that is good for a week,
// and returns its path. The service account must exist.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (path string, err error) {
	week := int64(7 * 24 * 3600)
	request, err := c.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &week},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token for service account %q: %w", namespace+"/"+name, err)
	}
	path = filepath.Join(c.dir, "serviceaccount-"+namespace+"-"+name+".kubeconfig")
	user := "system:serviceaccount:" + namespace + ":" + name
	return path, c.writeKubeconfig(path, user, &clientcmdapi.AuthInfo{Token: request.Status.Token})
}

func (c *Cluster) writeKubeconfig(path, user string, auth *clientcmdapi.AuthInfo) error {
	const cluster = "berth-local"
	config := clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			cluster: {Server: c.server, CertificateAuthorityData: c.authority.pem},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: auth},
		Contexts:       map[string]*clientcmdapi.Context{cluster: {Cluster: cluster, AuthInfo: user}},
		CurrentContext: cluster,
	}
	if err := clientcmd.WriteToFile(config, path); err != nil {
		return fmt.Errorf("writing the kubeconfig of %q: %w", user, err)
	}
	return nil
}

// configFor is a client configuration for user, in groups, without a limit on
// requests a second.
func (c *Cluster) configFor(user string, groups ...string) (*rest.Config, error) {
	certificate, key, err := c.authority.client(user, groups)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: c.server,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   c.authority.pem,
			CertData: certificate,
			KeyData:  key,
		},
		QPS: -1, // no limit
	}, nil
}

// protobuf returns a copy of config for clients of built-in kinds. Custom
// resources have no protobuf form, so this is no default.
func protobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return config
}
