"""Settings of the tasks: what determines a result beside the request, in classes that are nested by subject.

Each class says of each of its fields what it is, in which unit, what it may be and what it is if nothing is said. The
options of the command line, the files that `--config` reads and the checks of values are made from these classes.
Nothing here loads torch or pymatgen, and pydantic is imported when the first settings are made.
"""

from nucleate.settings.base import Settings
from nucleate.settings.design import DesignSettings
from nucleate.settings.generate import ComposeSettings, GenerateSettings
from nucleate.settings.optimise import OptimiseSettings
from nucleate.settings.predict import PredictSettings
from nucleate.settings.relaxation import RelaxSettings
from nucleate.settings.sampling import GenerationSettings, SamplingSettings, TemplateSettings
from nucleate.settings.screen import ScreenSettings
from nucleate.settings.search import JudgingSettings, LanguageSettings, SearchSettings
from nucleate.settings.substitute import OrderSettings, SubstituteSettings

__all__ = [
    "ComposeSettings",
    "DesignSettings",
    "GenerateSettings",
    "GenerationSettings",
    "JudgingSettings",
    "LanguageSettings",
    "OptimiseSettings",
    "OrderSettings",
    "PredictSettings",
    "RelaxSettings",
    "SamplingSettings",
    "ScreenSettings",
    "SearchSettings",
    "Settings",
    "SubstituteSettings",
    "TemplateSettings",
]
