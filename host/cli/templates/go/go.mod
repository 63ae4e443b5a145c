module example.com/my-detector

go 1.27
