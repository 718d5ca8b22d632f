package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admission "k8s.io/api/admission/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/apis/core/validation"
)

// The few calls of the API that a daemon and a test make.
type api struct {
	client  *fake.Clientset
	webhook string
	caller  *http.Client
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var answer any
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	ctx := r.Context()
	options := metav1.ListOptions{LabelSelector: r.URL.Query().Get("labelSelector")}
	switch {
	case err != nil:
	case r.Method == "GET" && r.URL.Path == "/api/v1/nodes":
		answer, err = a.client.CoreV1().Nodes().List(ctx, options)
	case r.Method == "GET" && r.URL.Path == "/api/v1/pods":
		answer, err = a.client.CoreV1().Pods("").List(ctx, options)
	case r.Method == "POST" && r.URL.Path == "/api/v1/nodes":
		node := &v1.Node{}
		if err = strict(body, node); err == nil {
			answer, err = a.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		}
	case r.Method == "POST" && r.URL.Path == "/api/v1/namespaces/default/pods":
		answer, err = a.create(ctx, body, w.Header())
	case r.Method == "PATCH" && len(parts) == 6:
		answer, err = a.patch(ctx, parts[3], parts[5], body)
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

func strict(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// As the API server: admission, defaults, validation, storage.
func (a *api) create(ctx context.Context, body []byte, header http.Header) (*v1.Pod, error) {
	pod := &v1.Pod{}
	if err := strict(body, pod); err != nil {
		return nil, err
	}
	admitted, warnings, err := a.admit(ctx, body)
	if err != nil {
		return nil, err
	}
	for _, warning := range warnings {
		header.Add("Warning", fmt.Sprintf("299 - %q", warning))
	}
	pod = &v1.Pod{}
	if err := strict(admitted, pod); err != nil {
		return nil, err
	}
	pod.Namespace = "default"
	pod.UID = uuid.NewUUID()
	pod.ResourceVersion = nextVersion()
	pod.CreationTimestamp = metav1.Now().Rfc3339Copy()
	internal, err := internalOf(pod)
	if err != nil {
		return nil, err
	}
	internal.ResourceVersion = ""
	if problems := validation.ValidatePodCreate(internal, validation.PodValidationOptions{}); len(problems) > 0 {
		return nil, problems.ToAggregate()
	}
	legacyscheme.Scheme.Default(pod)
	return a.client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
}

func (a *api) admit(ctx context.Context, pod []byte) ([]byte, []string, error) {
	id := uuid.NewUUID()
	review := admission.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admission.AdmissionRequest{
			UID:       id,
			Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Namespace: "default",
			Operation: admission.Create,
		},
	}
	review.Request.Object.Raw = pod
	text, err := json.Marshal(review)
	if err != nil {
		return nil, nil, err
	}
	response, err := a.caller.Post(a.webhook, "application/json", bytes.NewReader(text))
	if err != nil {
		// failurePolicy Ignore.
		return pod, []string{err.Error()}, nil
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the webhook answers %d: %s", response.StatusCode, said)
	}
	answer := admission.AdmissionReview{}
	if err := strict(said, &answer); err != nil {
		return nil, nil, fmt.Errorf("the webhook's answer: %w", err)
	}
	if answer.Response == nil || answer.Response.UID != id || !answer.Response.Allowed {
		return nil, nil, errors.New("the webhook does not allow what it was asked for")
	}
	if len(answer.Response.Patch) == 0 {
		return pod, answer.Response.Warnings, nil
	}
	if answer.Response.PatchType == nil || *answer.Response.PatchType != admission.PatchTypeJSONPatch {
		return nil, nil, errors.New("the patch has no type")
	}
	patched, err := apply(answer.Response.Patch, pod)
	return patched, answer.Response.Warnings, err
}

func apply(patch, text []byte) ([]byte, error) {
	decoded, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	return decoded.Apply(text)
}

func (a *api) patch(ctx context.Context, namespace, name string, patch []byte) (*v1.Pod, error) {
	pods := a.client.CoreV1().Pods(namespace)
	before, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	patched, err := apply(patch, text)
	if err != nil {
		return nil, err
	}
	after := &v1.Pod{}
	if err := strict(patched, after); err != nil {
		return nil, err
	}
	was, err := internalOf(before)
	if err != nil {
		return nil, err
	}
	is, err := internalOf(after)
	if err != nil {
		return nil, err
	}
	was.ResourceVersion, is.ResourceVersion = "1", "1"
	if problems := validation.ValidatePodUpdate(is, was, validation.PodValidationOptions{}); len(problems) > 0 {
		return nil, problems.ToAggregate()
	}
	after.ResourceVersion = nextVersion()
	return pods.Update(ctx, after, metav1.UpdateOptions{})
}

func internalOf(pod *v1.Pod) (*core.Pod, error) {
	copied := pod.DeepCopy()
	legacyscheme.Scheme.Default(copied)
	internal := &core.Pod{}
	return internal, legacyscheme.Scheme.Convert(copied, internal, nil)
}
