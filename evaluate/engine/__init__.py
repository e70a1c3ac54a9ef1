"""The fast engine: grad-cam's maps from one forward pass, for networks that split into features and head.

- `engine`: one forward pass, a backward pass through the head, and all methods' maps; as an `Explainer`
- `single_pass`: methods that need activations and gradients only
- `attention`: methods that explain a vision transformer by its attention
- `ablation`, `score`: AblationCAM's and ScoreCAM's weights, without computing what cannot affect them
- `kernels`: convolutions and dense layers as the device runs them fastest; the only user of torch's private operators
- `batch_sizes`: how much to compute at once, and less if memory runs out

A method of `evaluate.methods` needs nothing here. To make it faster, add its function to `single_pass`.
"""
