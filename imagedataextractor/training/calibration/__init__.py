"""What is fitted after a network's training: the judge of proposals, its calibration, and the settings.

In come a trained network and labelled images that it has not seen; out goes a weights file that holds
the network, the judge and the model's own settings (`release`).
"""
