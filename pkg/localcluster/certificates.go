package localcluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime of all certificates. A local cluster does not get old.
const lifetime = 365 * 24 * time.Hour

// An authority is the cluster's certificate authority. It signs the API
// server's serving certificate and the client certificates of users.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte // of certificate
}

// newAuthority makes an authority with a new key.
func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key of the certificate authority: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "berth-local"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing the certificate authority: %w", err)
	}
	return &authority{certificate, key, encodePEM("CERTIFICATE", der)}, nil
}

// client returns a certificate and its key, both PEM, that the API server
// takes for user in groups.
func (a *authority) client(user string, groups []string) (certificate, key []byte, err error) {
	certificate, key, err = a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("issuing a client certificate for %q: %w", user, err)
	}
	return certificate, key, nil
}

// WriteServingCertificate writes tls.crt and tls.key into dir, for a server at 127.0.0.1 such
// as one of webhooks, and returns the certificate of the authority that signed them.
func (c *Cluster) WriteServingCertificate(dir string) (authority []byte, err error) {
	certificate, key, err := c.authority.server()
	if err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, fmt.Errorf("writing %q: %w", name, err)
		}
	}
	return c.authority.pem, nil
}

// server returns the API server's serving certificate and its key, both PEM.
func (a *authority) server() (certificate, key []byte, err error) {
	certificate, key, err = a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("issuing the serving certificate: %w", err)
	}
	return certificate, key, nil
}

func (a *authority) issue(template *x509.Certificate) (certificate, key []byte, err error) {
	private, key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := sign(template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	return encodePEM("CERTIFICATE", der), key, nil
}

// sign fills in a template's serial number and dates and signs it.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore = now.Add(-time.Minute)
	template.NotAfter = now.Add(lifetime)
	return x509.CreateCertificate(rand.Reader, template, parent, public, key)
}

// newKey makes a private key, also in the PEM form that Kubernetes reads.
func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, encodePEM("EC PRIVATE KEY", der), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// The files, in the state directory, that the API server is started with.
const (
	caFile                = "ca.crt"
	servingCertFile       = "apiserver.crt"
	servingKeyFile        = "apiserver.key"
	serviceAccountKeyFile = "service-account.key"
)

// writeServerFiles writes what the API server needs of the authority, and a
// new key to sign service account tokens with, into dir.
func (a *authority) writeServerFiles(dir string) error {
	certificate, key, err := a.server()
	if err != nil {
		return err
	}
	_, tokenKey, err := newKey()
	if err != nil {
		return fmt.Errorf("generating the service account key: %w", err)
	}
	for name, data := range map[string][]byte{
		caFile:                a.pem,
		servingCertFile:       certificate,
		servingKeyFile:        key,
		serviceAccountKeyFile: tokenKey,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("writing %q: %w", name, err)
		}
	}
	return nil
}
