"""Measuring convcli beside other libraries and programs: `convcli bench`. Nothing else of the package needs this room.

The only place that may import peers (OpenCV, SciPy, scikit-image, torch), and only inside functions: none is required.
`groups` lists the families of cases, a module each; `measuring` times and checks; `report` walks through a choice.
"""
