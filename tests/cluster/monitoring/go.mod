module monitoring

go 1.23

require github.com/prometheus-operator/prometheus-operator v0.79.2
