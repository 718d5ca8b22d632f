// Kubernetes without its API server: the real scheduler, with its real extender client and plug-ins, over objects that are kept in memory
// by client-go's fake clientset. Pods are admitted as the API server does it: through the webhook, whose patch is applied and whose result
// is checked by the API server's own validation; so are patches.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	configscheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	configvalidation "k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	"k8s.io/kubernetes/pkg/scheduler/profile"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where the API is served")
	configuration := flag.String("config", "", "KubeSchedulerConfiguration")
	webhook := flag.String("webhook", "", "address of the admission webhook")
	ca := flag.String("ca", "", "who signs the webhook's certificate")
	flag.Parse()
	if flag.NArg() > 0 {
		checkManifests(flag.Args())
		return
	}
	client := fake.NewSimpleClientset()
	bindPods(client)
	stop, err := schedule(client, *configuration)
	if err != nil {
		fail(err)
	}
	defer stop()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		fail(err)
	}
	fmt.Println(listener.Addr())
	fail(http.Serve(listener, &api{client: client, webhook: *webhook, caller: caller(*ca)}))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func caller(ca string) *http.Client {
	if ca == "" {
		return http.DefaultClient
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		fail(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	}
}

var versions atomic.Int64

// The scheduler passes over changes that leave the version of an object as it was.
func nextVersion() string {
	return strconv.FormatInt(versions.Add(1), 10)
}

// The API server sets the node of a pod when it is bound; so does this.
func bindPods(client *fake.Clientset) {
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "binding" {
			return false, nil, nil
		}
		binding := action.(clienttesting.CreateAction).GetObject().(*v1.Binding)
		pods := v1.SchemeGroupVersion.WithResource("pods")
		found, err := client.Tracker().Get(pods, action.GetNamespace(), binding.Name)
		if err != nil {
			return true, nil, err
		}
		pod := found.(*v1.Pod).DeepCopy()
		pod.Spec.NodeName = binding.Target.Name
		pod.ResourceVersion = nextVersion()
		return true, binding, client.Tracker().Update(pods, pod, action.GetNamespace())
	})
}

func schedule(client *fake.Clientset, file string) (context.CancelFunc, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoded, _, err := configscheme.Codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	settings := decoded.(*config.KubeSchedulerConfiguration)
	if err := configvalidation.ValidateKubeSchedulerConfiguration(settings); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	informers := scheduler.NewInformerFactory(client, 0)
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	instance, err := scheduler.New(ctx, client, informers, nil, profile.NewRecorderFactory(broadcaster),
		scheduler.WithProfiles(settings.Profiles...), scheduler.WithExtenders(settings.Extenders...))
	if err != nil {
		cancel()
		return nil, err
	}
	informers.Start(ctx.Done())
	informers.WaitForCacheSync(ctx.Done())
	if err := instance.WaitForHandlersSync(ctx); err != nil {
		cancel()
		return nil, err
	}
	go instance.Run(ctx)
	return cancel, nil
}
