package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	registrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubernetes/pkg/apis/admissionregistration"
	registrationconversion "k8s.io/kubernetes/pkg/apis/admissionregistration/v1"
	registrationvalidation "k8s.io/kubernetes/pkg/apis/admissionregistration/validation"
)

// Reads manifests as the API server does, which knows every field; a webhook's conditions are compiled as well.
func checkManifests(files []string) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			fail(err)
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := documents.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				fail(err)
			}
			object, kind, err := decoder.Decode(document, nil, nil)
			if err != nil {
				fail(fmt.Errorf("%s: %w", file, err))
			}
			if hooks, ok := object.(*registrationv1.MutatingWebhookConfiguration); ok {
				checkHooks(hooks)
			}
			fmt.Println(kind.Kind)
		}
	}
}

func checkHooks(hooks *registrationv1.MutatingWebhookConfiguration) {
	registrationconversion.SetObjectDefaults_MutatingWebhookConfiguration(hooks)
	internal := &admissionregistration.MutatingWebhookConfiguration{}
	err := registrationconversion.Convert_v1_MutatingWebhookConfiguration_To_admissionregistration_MutatingWebhookConfiguration(hooks, internal, nil)
	if err != nil {
		fail(err)
	}
	if problems := registrationvalidation.ValidateMutatingWebhookConfiguration(internal); len(problems) > 0 {
		fail(problems.ToAggregate())
	}
}
